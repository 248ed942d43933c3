// node-opcua, without what it does on Node 20 and 21 each time it is loaded: it makes an RSA key of
// 4096 bits, some seconds of a core, only to warn that PKCS#1 v1.5 does not decrypt there.
"use strict";

const real = Object.getOwnPropertyDescriptor(process, "version");
Object.defineProperty(process, "version", { ...real, value: "v22.0.0" });
module.exports = require("node-opcua");
Object.defineProperty(process, "version", real);
