// Clients of npm's vrpc, told what to do by tests/support/vrpc.py: reads a line of JSON for each thing to do, and
// prints one for each answer and each event.
import { createInterface } from "node:readline";
import vrpc from "vrpc";

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const clients = new Map();
const proxies = new Map();
const listeners = new Map();

// A function that tells what it is called with; the same for the same label, as a program would keep it.
const listener = (name, label) => {
  const key = `${name}/${label}`;
  if (!listeners.has(key)) listeners.set(key, (...args) => say({ name, event: "heard", label, arguments: args }));
  return listeners.get(key);
};
const unwrapped = (name, args) => args.map((one) => (one?.listener ? listener(name, one.listener) : one));
const keep = (proxy) => {
  proxies.set(proxy.vrpcProxyId, proxy);
  return { proxy: proxy.vrpcProxyId, instance: proxy.vrpcInstanceId };
};

const actions = {
  async connect({ name, ...options }) {
    const client = new vrpc.VrpcClient({ ...options, log: silent });
    clients.set(name, client);
    for (const event of ["connect", "reconnect", "offline"]) client.on(event, () => say({ name, event }));
    client.on("error", (error) => say({ name, event: "error", message: error.message }));
    client.on("agent", ({ agent, status }) => say({ name, event: "agent", agent, status }));
    client.on("instanceNew", (instances, { agent }) => say({ name, event: "instanceNew", agent, instances }));
    client.on("instanceGone", (instances, { agent }) => say({ name, event: "instanceGone", agent, instances }));
    await client.connect();
    return client.getClientId();
  },
  call: ({ name, args, ...asked }) => clients.get(name).callStatic({ ...asked, args: unwrapped(name, args) }),
  callAll: ({ name, args, ...asked }) => clients.get(name).callAll({ ...asked, args: unwrapped(name, args) }),
  create: async ({ name, ...asked }) => keep(await clients.get(name).create(asked)),
  get: async ({ name, instance, ...asked }) => keep(await clients.get(name).getInstance(instance, asked)),
  invoke: ({ name, proxy, functionName, args }) => proxies.get(proxy)[functionName](...unwrapped(name, args)),
  delete: ({ name, instance, ...asked }) => clients.get(name).delete(instance, asked),
  agents: ({ name }) => clients.get(name).getSystemInformation(),
  unregister: ({ name, agent }) => clients.get(name).unregisterAgent(agent),
  end: ({ name }) => clients.get(name).end(),
};

createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, action, ...asked } = JSON.parse(line);
  try {
    say({ id, answer: (await actions[action](asked)) ?? null });
  } catch (error) {
    say({ id, fault: error.message });
  }
});
