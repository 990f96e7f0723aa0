// node-opcua-server as a machine, told what to do by tests/edge_connector/machine.py: node opcua_server.mjs FOLDER PORT.
// FOLDER holds its certificate and key.  Reads a line of JSON for each thing to do, and prints one for each answer.
import { createInterface } from "node:readline";
import { OPCUACertificateManager } from "node-opcua-certificate-manager";
import { MessageSecurityMode, SecurityPolicy } from "node-opcua-secure-channel";
import nodeOpcua from "node-opcua-server";
import { StatusCodes } from "node-opcua-status-code";
import { DataType, Variant, VariantArrayType } from "node-opcua-variant";

const [, , folder, port] = process.argv;
console.log = console.warn = console.error = () => {}; // what it tells by itself is no answer
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);

const certificates = new OPCUACertificateManager({
  rootFolder: `${folder}/pki`, automaticallyAcceptUnknownCertificate: true,
});
await certificates.initialize();
const server = new nodeOpcua.OPCUAServer({
  port: Number(port), host: "127.0.0.1", hostname: "127.0.0.1",
  certificateFile: `${folder}/server.pem`, privateKeyFile: `${folder}/server.key`,
  serverCertificateManager: certificates, userCertificateManager: certificates,
  securityModes: [MessageSecurityMode.None, MessageSecurityMode.Sign, MessageSecurityMode.SignAndEncrypt],
  securityPolicies: [SecurityPolicy.None, SecurityPolicy.Basic256Sha256],
  allowAnonymous: true,
  userManager: { isValidUser: (name, password) => name === "hall" && password === "secret" },
});
await server.initialize();

const space = server.engine.addressSpace;
const own = space.getOwnNamespace(); // ns=1
const line = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "Line1", nodeId: "s=Line1" });
const other = own.addObject({ organizedBy: space.rootFolder.objects, browseName: "Line2", nodeId: "s=Line2" });
const many = own.addFolder(space.rootFolder.objects, { browseName: "Many", nodeId: "s=Many" });

const variable = (parent, name, dataType, value, arrayType) => own.addVariable({
  componentOf: parent, browseName: name, nodeId: `s=${parent.browseName.name}.${name}`, dataType,
  minimumSamplingInterval: 10, value: new Variant({ dataType, value, arrayType }),
  valueRank: arrayType === VariantArrayType.Array ? 1 : -1,
});
const variables = {
  Speed: variable(line, "Speed", DataType.Double, 1.5),
  Count: variable(line, "Count", DataType.Int32, 7),
  Small: variable(line, "Small", DataType.Byte, 1),
  Big: variable(line, "Big", DataType.Int64, [0, 5], VariantArrayType.Scalar),
  Name: variable(line, "Name", DataType.String, "mixer"),
  On: variable(line, "On", DataType.Boolean, true),
  Key: variable(line, "Key", DataType.ByteString, Buffer.from([0, 255, 16])),
  Since: variable(line, "Since", DataType.DateTime, new Date("2026-01-31T12:00:00.250Z")),
  Odd: variable(line, "Odd", DataType.Double, NaN),
  Temperatures: variable(line, "Temperatures", DataType.Float, [1.5, 2.5], VariantArrayType.Array),
  Other: variable(other, "Other", DataType.Double, 3),
};
for (let index = 0; index < 250; index++) variable(many, `v${index}`, DataType.Int32, index);

const argument = (name) => ({ name, dataType: DataType.Int32, description: { text: name } });
const add = own.addMethod(line, {
  browseName: "Add", nodeId: "s=Line1.Add", inputArguments: [argument("a"), argument("b")],
  outputArguments: [argument("sum")],
});
add.bindMethod(([a, b], _, done) => done(null, {
  statusCode: a.value < 0 ? StatusCodes.BadOutOfRange : StatusCodes.Good,
  outputArguments: [{ dataType: DataType.Int32, value: a.value + b.value }],
}));
const halt = own.addMethod(line, { browseName: "Halt", nodeId: "s=Line1.Halt", inputArguments: [], outputArguments: [] });
halt.bindMethod((inputs, _, done) => done(null, { statusCode: StatusCodes.Good, outputArguments: [] }));

const actions = {
  set({ name, type, value }) {
    variables[name].setValueFromSource(new Variant({ dataType: DataType[type], value }));
  },
  get({ name }) {
    const { dataType, value } = variables[name].readValue().value;
    return { type: DataType[dataType], value: ArrayBuffer.isView(value) ? Array.from(value) : value };
  },
  bad({ name }) {
    variables[name].setValueFromSource(new Variant({ dataType: DataType.Double, value: 0 }), StatusCodes.BadSensorFailure);
  },
  sessions() {
    return server.engine.currentSessionCount;
  },
  subscriptions() {
    return server.engine.currentSubscriptionCount;
  },
};

await server.start();
say({ answer: "ready" });
for await (const told of createInterface({ input: process.stdin })) {
  const { action, ...asked } = JSON.parse(told);
  try {
    say({ answer: actions[action](asked) ?? null });
  } catch (error) {
    say({ fault: String(error.message ?? error) });
  }
}
process.exit(0);
