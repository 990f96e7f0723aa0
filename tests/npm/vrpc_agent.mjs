// An agent of npm's vrpc without credentials, which it makes up: node vrpc_agent.mjs BROKER DOMAIN AGENT.
// Prints a line when it is connected, and for each refusal; retries for ever.
import vrpc from "vrpc";

const [broker, domain, agent] = process.argv.slice(2);
const silent = { debug() {}, info() {}, warn() {}, error() {} };
class Press {
  speed() { return 21.5; }
}
vrpc.VrpcAdapter.register(Press);
const made = new vrpc.VrpcAgent({ broker, domain, agent, log: silent });
made.on("connect", () => console.log("connected"));
made.on("error", (error) => console.log(`error ${error.message}`));
await made.serve();
console.log("serving");
