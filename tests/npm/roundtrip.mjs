// MQTT.js in Node: node roundtrip.mjs URL PROTOCOL-VERSION, with USERNAME, PASSWORD and CA in the environment.
// Sends itself messages of each QoS and several sizes, and prints one line of JSON about what came back.
import { readFileSync } from "node:fs";
import mqtt from "mqtt";

const [url, version] = process.argv.slice(2);
const { USERNAME: username, PASSWORD: password, CA } = process.env;
const client = await mqtt.connectAsync(url, {
  username,
  password,
  protocolVersion: Number(version),
  reconnectPeriod: 0,
  connectTimeout: 5000,
  ...(CA ? { ca: readFileSync(CA) } : {}),
});

const sizes = [0, 1, 125, 126, 65_535, 65_536, 300_000, 1_000_000];
const wanted = [0, 1, 2].flatMap((qos) => sizes.map((size) => `${qos}/${size}`));
const topic = `npm/${process.pid}`;
const got = [];
const done = new Promise((resolve) => {
  client.on("message", (name, payload, packet) => {
    const whole = payload.every((byte, index) => byte === index % 251);
    got.push(whole ? `${packet.qos}/${payload.length}` : `${packet.qos}/broken`);
    if (got.length === wanted.length) resolve();
  });
});
await client.subscribeAsync(topic, { qos: 2 });
for (const qos of [0, 1, 2]) {
  for (const size of sizes) {
    await client.publishAsync(topic, Buffer.from(Uint8Array.from({ length: size }, (_, index) => index % 251)), { qos });
  }
}
await Promise.race([done, new Promise((resolve) => setTimeout(resolve, 8000).unref())]);
const missing = wanted.filter((one) => !got.includes(one));
await client.endAsync();
console.log(JSON.stringify({ got: got.length, missing }));
