// A client on node-opcua, at the simulator's server: node client.js '{"url": "...", "folder": ...}'
//
// Prints one line of JSON: what it has browsed and read, and what its commands were answered.
"use strict";

const path = require("node:path");
const {
  AttributeIds, BrowseDirection, DataType, MessageSecurityMode, NodeClass, OPCUACertificateManager,
  OPCUAClient, SecurityPolicy, UserTokenType, Variant,
} = require("./node-opcua.js");

const options = JSON.parse(process.argv[2]);
const at = (name) => path.join(options.folder, name);

async function main() {
  const trust = new OPCUACertificateManager({
    rootFolder: at("node-client"),
    automaticallyAcceptUnknownCertificate: true,
  });
  await trust.initialize();
  const client = OPCUAClient.create({
    applicationUri: "urn:gridctl:field",
    certificateFile: at("field.crt.pem"),
    privateKeyFile: at("field.pem"),
    clientCertificateManager: trust,
    securityMode: MessageSecurityMode.SignAndEncrypt,
    securityPolicy: SecurityPolicy[options.policy],
    endpointMustExist: false,
    connectionStrategy: { maxRetry: 1, initialDelay: 100 },
  });
  const told = { types: {}, parts: {}, values: {}, units: {} };
  await client.connect(options.url);
  const session = await client.createSession({
    type: UserTokenType.UserName, userName: options.user, password: options.password,
  });
  try {
    const spaces = await session.readNamespaceArray();
    const ns = spaces.indexOf(options.namespace);
    for (const name of options.devices) {
      const nodeId = `ns=${ns};s=DER/${name}`;
      const typed = await session.browse({
        nodeId, referenceTypeId: "HasTypeDefinition", browseDirection: BrowseDirection.Forward,
        resultMask: 63,
      });
      told.types[name] = typed.references[0].browseName.name;
      const parts = await session.browse({
        nodeId, referenceTypeId: "HasComponent", includeSubtypes: true, resultMask: 63,
        browseDirection: BrowseDirection.Forward,
      });
      told.parts[name] = parts.references
        .map((r) => [r.browseName.name, NodeClass[r.nodeClass]]).sort();
    }
    for (const id of options.read) {
      const value = await session.read({ nodeId: `ns=${ns};s=${id}`, attributeId: AttributeIds.Value });
      told.values[id] = [value.value.value, value.statusCode.name];
    }
    for (const id of options.ranged) {
      const range = await session.read({
        nodeId: `ns=${ns};s=${id}.EURange`, attributeId: AttributeIds.Value,
      });
      told.units[id] = [range.value.value.low, range.value.value.high];
    }
    const call = async (value, command, until) => {
      const result = await session.call({
        objectId: `ns=${ns};s=DER/${options.called[0]}`,
        methodId: `ns=${ns};s=${options.called[1]}`,
        inputArguments: [
          new Variant({ dataType: DataType.Double, value }),
          new Variant({ dataType: DataType.String, value: command }),
          new Variant({ dataType: DataType.DateTime, value: until }),
        ],
      });
      return result.statusCode.name;
    };
    const soon = new Date(Date.now() + 60000);
    told.called = [
      await call(12.5, "a-1", soon), await call(12.5, "a-1", soon),
      await call(12.5, "a-2", new Date(Date.now() - 60000)), await call(1e6, "a-3", soon),
    ];
    const write = async (value) => (await session.write({
      nodeId: `ns=${ns};s=${options.written}`, attributeId: AttributeIds.Value,
      value: { value: { dataType: DataType.Double, value } },
    })).name;
    told.written = [await write(20.0), await write(999.0)];
  } finally {
    await session.close();
    await client.disconnect();
  }
  process.stdout.write(`${JSON.stringify(told)}\n`);
}

main().then(() => process.exit(0), (error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
