// An OPC UA server on node-opcua, as a peer for gridctl's interoperability tests.
//
//   node server.js '{"port": 21000, "folder": "...", "variables": 100, ...}'
//
// Prints READY when it listens, and one line `SEEN <json>` for each command that reached it.
// Values are counters that all move together, `hz` times a second, so that a test can see that every
// single one of them arrives again.
"use strict";

const path = require("node:path");
const fs = require("node:fs");
const {
  AccessLevelFlag, DataType, MessageSecurityMode, OPCUACertificateManager, OPCUAServer,
  SecurityPolicy, StatusCodes, Variant, VariantArrayType,
  nodesets, standardUnits,
} = require("./node-opcua.js");

const options = JSON.parse(process.argv[2]);
const folder = options.folder;
const URI = "urn:gridctl:peer";
const at = (name) => path.join(folder, name);
const seen = (what) => process.stdout.write(`SEEN ${JSON.stringify(what)}\n`);

async function trusting(name, certificates, lists) {
  // A key of its own, which the store would make otherwise: it signs nothing here.
  const own = path.join(at(name), "own", "private");
  fs.mkdirSync(own, { recursive: true });
  fs.copyFileSync(at("server.pem"), path.join(own, "private_key.pem"));
  const store = new OPCUACertificateManager({
    rootFolder: at(name),
    automaticallyAcceptUnknownCertificate: false,
  });
  await store.initialize();
  for (const file of certificates) await store.trustCertificate(fs.readFileSync(at(file)));
  for (const file of lists) {
    fs.mkdirSync(path.join(at(name), "issuers", "crl"), { recursive: true });
    fs.copyFileSync(at(file), path.join(at(name), "issuers", "crl", file));
  }
  return store;
}

function addPoints(space, server) {
  for (const uri of options.namespaces_before) space.registerNamespace(uri);
  const own = space.registerNamespace(URI);
  const plant = own.addObject({ browseName: "Plant", organizedBy: space.rootFolder.objects });
  const counters = [];
  for (let start = 0; start < options.variables; start += 100) {
    const group = own.addObject({ browseName: `G${start / 100}`, organizedBy: plant });
    for (let index = start; index < Math.min(start + 100, options.variables); index += 1) {
      counters.push(own.addVariable({
        browseName: `V${index}`, nodeId: `s=V${index}`, componentOf: group,
        dataType: "Double", minimumSamplingInterval: 0,
        value: { dataType: DataType.Double, value: 0 },
      }));
    }
  }
  const device = own.addObject({ browseName: "Device", nodeId: "s=Device", organizedBy: plant });
  const setpoint = own.addVariable({
    browseName: "Setpoint", nodeId: "s=Setpoint", componentOf: device, dataType: "Double",
    minimumSamplingInterval: 0, value: { dataType: DataType.Double, value: 0 },
  });
  setpoint.on("value_changed", (value) => seen({ write: value.value.value }));
  own.addVariable({
    browseName: "Count", nodeId: "s=Count", componentOf: device, dataType: "Int32",
    minimumSamplingInterval: 0, value: { dataType: DataType.Int32, value: 7 },
  });
  own.addVariable({
    browseName: "ReadOnly", nodeId: "s=ReadOnly", componentOf: device, dataType: "Double",
    accessLevel: AccessLevelFlag.CurrentRead, userAccessLevel: AccessLevelFlag.CurrentRead,
    minimumSamplingInterval: 0, value: { dataType: DataType.Double, value: 3.5 },
  });
  own.addAnalogDataItem({
    browseName: "Power", nodeId: "s=Power", componentOf: device, dataType: "Double",
    engineeringUnitsRange: { low: -500, high: 500 }, engineeringUnits: standardUnits.kilowatt,
    minimumSamplingInterval: 0, value: { dataType: DataType.Double, value: 12.5 },
  });
  own.addVariable({
    browseName: "Feeders", nodeId: "s=Feeders", componentOf: device, dataType: "Double",
    valueRank: 1, arrayDimensions: [3], minimumSamplingInterval: 0,
    value: { dataType: DataType.Double, arrayType: VariantArrayType.Array, value: [1.5, 2.5, 3.5] },
  });
  own.addMultiStateDiscrete({
    browseName: "Mode", nodeId: "s=Mode", componentOf: device,
    enumStrings: ["Off", "Standby", "Run"], value: 2,
  });
  own.addVariable({
    browseName: "Build", nodeId: "s=Build", componentOf: device, dataType: "BuildInfo",
    value: {
      dataType: DataType.ExtensionObject,
      value: space.constructExtensionObject(space.findDataType("BuildInfo"), {}),
    },
  });
  addMethod(own, space, device, setpoint);
  if (options.history) {
    const past = own.addVariable({
      browseName: "Past", nodeId: "s=Past", componentOf: device, dataType: "Double",
      minimumSamplingInterval: 0, value: { dataType: DataType.Double, value: 0 },
      accessLevel: "CurrentRead | HistoryRead", historizing: true,
    });
    space.installHistoricalDataNode(past, { maxOnlineValues: 5000 });
    let told = 0;
    setInterval(() => {
      told += 1;
      past.setValueFromSource({ dataType: DataType.Double, value: told });
    }, 100);
  }
  if (options.alarm) addAlarm(space, own, plant, device);
  let count = 0;
  if (options.hz > 0) {
    setInterval(() => {
      count += 1;
      const now = new Date();
      for (const one of counters) {
        one.setValueFromSource(
          new Variant({ dataType: DataType.Double, value: count }), StatusCodes.Good, now);
      }
    }, 1000 / options.hz);
  }
}

function addMethod(own, space, device, setpoint) {
  const method = own.addMethod(device, {
    browseName: "SetWMax", nodeId: "s=SetWMax",
    inputArguments: [
      { name: "kW", dataType: DataType.Double },
      { name: "CommandId", dataType: DataType.String },
      { name: "ValidUntil", dataType: DataType.DateTime },
    ],
    outputArguments: [],
  });
  method.bindMethod((inputs, context, done) => {
    const [kw, id, until] = inputs.map((one) => one.value);
    seen({ call: kw, id, until: until.toISOString() });
    if (Math.abs(kw) > 100) {
      done(null, { statusCode: StatusCodes.BadOutOfRange, outputArguments: [] });
      return;
    }
    setpoint.setValueFromSource({ dataType: DataType.Double, value: kw });
    done(null, { statusCode: StatusCodes.Good, outputArguments: [] });
  });
}

function addAlarm(space, own, plant, device) {
  space.installAlarmsAndConditionsService();
  // Server → Plant → Device → OilTemperature: the way on which an event rises.
  for (const [above, below] of [[space.rootFolder.objects.server, plant], [plant, device]]) {
    below.setEventNotifier(1);
    above.addReference({ referenceType: "HasNotifier", nodeId: below.nodeId });
  }
  const source = own.addVariable({
    browseName: "OilTemperature", nodeId: "s=OilTemperature", componentOf: device,
    dataType: "Double", eventSourceOf: device, minimumSamplingInterval: 0,
    value: { dataType: DataType.Double, value: 60 },
  });
  const alarm = own.instantiateExclusiveLimitAlarm("ExclusiveLimitAlarmType", {
    browseName: "OilHot", conditionSource: source, componentOf: device, inputNode: source,
    highHighLimit: 110, highLimit: 90, lowLimit: -30, lowLowLimit: -40,
    optionals: ["ConfirmedState", "Confirm"],
  });
  alarm.conditionName.setValueFromSource({ dataType: DataType.String, value: "OilHot" });
  setTimeout(() => source.setValueFromSource({ dataType: DataType.Double, value: 95 }), 200);
}

function setLevel(space, level) {
  space.rootFolder.objects.server.serviceLevel.bindVariable(
    { get: () => new Variant({ dataType: DataType.Byte, value: level }) }, true);
}

async function main() {
  const server = new OPCUAServer({
    port: options.port,
    host: "127.0.0.1",
    hostname: "127.0.0.1",
    alternateHostname: ["127.0.0.1"],
    resourcePath: "/gridctl",
    nodeset_filename: [nodesets.standard],
    certificateFile: at("server.pem.crt"),
    privateKeyFile: at("server.pem"),
    serverCertificateManager: await trusting("pki", options.trusted, options.revocations),
    userCertificateManager: await trusting("user-pki", options.trusted_users, []),
    userManager: { isValidUser: (user, word) => user === options.user && word === options.password },
    allowAnonymous: false,
    securityPolicies: options.policies.map((name) => SecurityPolicy[name]),
    securityModes: [MessageSecurityMode.SignAndEncrypt],
    disableDiscovery: false,
    serverInfo: { applicationUri: options.application_uri },
    buildInfo: { productName: "gridctl peer" },
    serverCapabilities: {
      maxSessions: 50,
      operationLimits: {
        maxNodesPerRead: options.limit, maxMonitoredItemsPerCall: options.limit,
        maxNodesPerBrowse: options.limit, maxNodesPerWrite: options.limit,
        maxNodesPerMethodCall: options.limit,
      },
    },
  });
  await server.initialize();
  const space = server.engine.addressSpace;
  addPoints(space, server);
  await server.start();
  if (options.service_level !== undefined) setLevel(space, options.service_level);
  process.stdin.on("data", (data) => {
    for (const line of data.toString().split("\n").filter(Boolean)) {
      const order = JSON.parse(line);
      if (order.service_level !== undefined) {
        setLevel(space, order.service_level);
      }
      if (order.add_variable !== undefined) {
        space.getNamespace(URI).addVariable({
          browseName: order.add_variable, nodeId: `s=${order.add_variable}`,
          organizedBy: space.rootFolder.objects, dataType: "Double", minimumSamplingInterval: 0,
          value: { dataType: DataType.Double, value: 1 },
        });
      }
      process.stdout.write("DONE\n");
    }
  });
  process.stdin.on("end", () => process.exit(0)); // the test that started us is gone
  process.stdout.write("READY\n");
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exit(1);
});
