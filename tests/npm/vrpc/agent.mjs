// An agent of npm's vrpc: node agent.mjs BROKER DOMAIN AGENT, with USERNAME, PASSWORD and VERSION in the environment.
// Without a password it makes credentials up.  Retries for ever.  Prints a line of JSON for each event, and does what
// the lines of JSON ask that it reads; told by tests/support/vrpc.py.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import vrpc from "vrpc";

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const silent = { debug() {}, info() {}, warn() {}, error() {} };
const [broker, domain, agent] = process.argv.slice(2);
const { USERNAME: username, PASSWORD: password, VERSION: version = "" } = process.env;

const classes = createRequire(import.meta.url)("./classes.cjs");
const jsdocPath = fileURLToPath(new URL("classes.cjs", import.meta.url));
vrpc.VrpcAdapter.register(classes.Press, { jsdocPath });
vrpc.VrpcAdapter.register(classes.Lamp);

const made = new vrpc.VrpcAgent({ broker, domain, agent, username, password, version, log: silent });
for (const event of ["connect", "reconnect", "close", "offline", "end"]) made.on(event, () => say({ event }));
made.on("error", (error) => say({ event: "error", message: error.message }));
made.on("clientGone", (client) => say({ event: "clientGone", client }));

const actions = {
  create: ({ className, instance, args }) => void made.create({ className, instance, args }),
  end: ({ unregister }) => made.end({ unregister }),
};
createInterface({ input: process.stdin }).on("line", async (line) => {
  const { id, action, ...asked } = JSON.parse(line);
  try {
    say({ id, answer: (await actions[action](asked)) ?? null });
  } catch (error) {
    say({ id, fault: error.message });
  }
});
await made.serve();
say({ event: "serving" });
