// An agent and a client of npm's vrpc, unchanged: node load.mjs agent|caller BROKER DOMAIN AGENT, with USERNAME and
// PASSWORD in the environment.  Both print a line of JSON when they are ready.  The caller reads a line of JSON for
// each measurement, and prints one with what it saw.
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import vrpc from "vrpc";

const say = (line) => process.stdout.write(`${JSON.stringify(line)}\n`);
const log = { debug() {}, info() {}, warn() {}, error() {} };
const [role, broker, domain, agent] = process.argv.slice(2);
const options = { broker, domain, agent, username: process.env.USERNAME, password: process.env.PASSWORD, log };

class Press {
  /**
   * Adds two numbers
   * @param {number} a First number
   * @param {number} b Second number
   * @returns {number} The sum
   */
  static add(a, b) {
    return a + b;
  }

  /**
   * Promises a value, and keeps the promise at once
   * @param {number} value The value
   * @returns {number} The same
   */
  static async later(value) {
    return value;
  }
}

const calls = {
  add: async (client, number) => (await client.callStatic({ ...add, args: [number, 1] })) === number + 1,
  later: async (client, number) => (await client.callStatic({ ...later, args: [number] })) === number,
};
const add = { className: "Press", functionName: "add" };
const later = { className: "Press", functionName: "later" };

// Calls as quickly as answers come, so many at a time; returns how long each took, in milliseconds.
async function measure(client, { call, callers, seconds }) {
  const times = [];
  const end = performance.now() + seconds * 1000;
  const one = async () => {
    for (let number = 0; performance.now() < end; number += 1) {
      const start = performance.now();
      if (!(await calls[call](client, number))) throw new Error(`a wrong answer to ${call}`);
      times.push(performance.now() - start);
    }
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: callers }, one));
  return { seconds: (performance.now() - start) / 1000, times };
}

if (role === "agent") {
  vrpc.VrpcAdapter.register(Press, { jsdocPath: fileURLToPath(import.meta.url) });
  await new vrpc.VrpcAgent(options).serve();
  say({ ready: true });
} else {
  const client = new vrpc.VrpcClient(options);
  await client.connect();
  await measure(client, { call: "add", callers: 1, seconds: 0 });
  say({ ready: await calls.add(client, 1) });
  createInterface({ input: process.stdin }).on("line", async (line) => {
    try {
      say(await measure(client, JSON.parse(line)));
    } catch (error) {
      say({ fault: error.message });
    }
  });
}
