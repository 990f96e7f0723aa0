// node-opcua-client, told what to do by tests/support/opcua.py: node opcua.mjs FOLDER, which holds its certificates.
// Reads a line of JSON for each thing to do, and prints one for each answer and each event.
import { createInterface } from "node:readline";
import {
  AttributeIds, ClientMonitoredItem, DataType, MessageSecurityMode, OPCUAClient, SecurityPolicy, TimestampsToReturn,
  UserTokenType,
} from "node-opcua-client";
import { OPCUACertificateManager } from "node-opcua-certificate-manager";
import { AddNodesRequest, DeleteNodesRequest, NodeClass, VariableAttributes } from "node-opcua-types";

console.log = console.warn = console.error = () => {}; // what it tells by itself is no answer
const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const plain = ({ value }) => (ArrayBuffer.isView(value) ? Array.from(value) : value);
const good = (status) => {
  if (!status.isGood()) throw new Error(status.name);
};

const certificates = new OPCUACertificateManager({
  rootFolder: `${process.argv[2]}/pki`, automaticallyAcceptUnknownCertificate: true,
});
await certificates.initialize();
const clients = new Map();

const actions = {
  async connect({ name, url, mode, policy, username, password, certificate, key, uri, retry }) {
    const client = OPCUAClient.create({
      applicationName: "node-opcua", applicationUri: uri, certificateFile: certificate, privateKeyFile: key,
      clientCertificateManager: certificates, endpointMustExist: false, keepSessionAlive: true,
      securityMode: MessageSecurityMode[mode], securityPolicy: SecurityPolicy[policy.replace("Sha256Rsa", "_Sha256_Rsa")],
      connectionStrategy: { initialDelay: 100, maxDelay: 300, maxRetry: retry ? -1 : 0 },
    });
    client.on("connection_lost", () => say({ name, event: "lost" }));
    client.on("close", () => say({ name, event: "lost" }));
    client.on("connection_reestablished", () => say({ name, event: "back" }));
    try {
      await client.connect(url);
      const session = await client.createSession({ type: UserTokenType.UserName, userName: username, password });
      clients.set(name, { client, session });
    } catch (error) {
      await client.disconnect().catch(() => {});
      throw error;
    }
  },
  async read({ name, node }) {
    const found = await clients.get(name).session.read({ nodeId: node, attributeId: AttributeIds.Value });
    good(found.statusCode);
    return plain(found.value);
  },
  async write({ name, node, type, value }) {
    const variant = { dataType: DataType[type], value };
    good(await clients.get(name).session.write({
      nodeId: node, attributeId: AttributeIds.Value, value: { value: variant },
    }));
  },
  async publish({ name, object, path, type, value }) {
    const inputArguments = [{ dataType: DataType.String, value: path }, { dataType: DataType[type], value }];
    const called = { objectId: object, methodId: `${object}/publish`, inputArguments };
    good((await clients.get(name).session.call(called)).statusCode);
  },
  async add({ name, object, path, type, value }) {
    const browseName = { namespaceIndex: 2, name: path };
    const given = new VariableAttributes({
      specifiedAttributes: 1 << 21, value: { dataType: DataType[type], value }, // the value alone (Part 4, 7.24)
    });
    const nodesToAdd = [{
      parentNodeId: object, referenceTypeId: "i=47", browseName, nodeClass: NodeClass.Variable,
      nodeAttributes: given, typeDefinition: "i=63",
    }];
    const { session } = clients.get(name);
    good((await session.performMessageTransaction(new AddNodesRequest({ nodesToAdd }))).results[0].statusCode);
  },
  async remove({ name, node }) {
    const nodesToDelete = [{ nodeId: node, deleteTargetReferences: true }];
    const { session } = clients.get(name);
    good((await session.performMessageTransaction(new DeleteNodesRequest({ nodesToDelete }))).results[0]);
  },
  async history({ name, node }) {
    const day = 24 * 60 * 60 * 1000;
    const [start, end] = [new Date(Date.now() - day), new Date(Date.now() + day)];
    const found = await clients.get(name).session.readHistoryValue(node, start, end);
    good(found.statusCode);
    return found.historyData.dataValues.map(({ value }) => plain(value));
  },
  async subscribe({ name, node, interval }) {
    const subscription = await clients.get(name).session.createSubscription2({
      requestedPublishingInterval: interval, requestedLifetimeCount: 1000, requestedMaxKeepAliveCount: 10,
      publishingEnabled: true,
    });
    const item = ClientMonitoredItem.create(
      subscription, { nodeId: node, attributeId: AttributeIds.Value }, { samplingInterval: interval, queueSize: 10 },
      TimestampsToReturn.Both,
    );
    item.on("changed", (data) => say({
      name, event: "value", value: data.statusCode.isGood() ? plain(data.value) : data.statusCode.name,
    }));
    await new Promise((resolve, reject) => {
      item.on("initialized", resolve);
      item.on("err", (message) => reject(new Error(message)));
    });
  },
  async close({ name }) {
    const { client, session } = clients.get(name);
    clients.delete(name);
    await session.close().catch(() => {});
    await client.disconnect();
  },
};

for await (const line of createInterface({ input: process.stdin })) {
  const { action, ...asked } = JSON.parse(line);
  try {
    say({ answer: (await actions[action](asked)) ?? null });
  } catch (error) {
    say({ fault: String(error.message ?? error) });
  }
}
process.exit(0);
