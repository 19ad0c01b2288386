// Reviews in numbers, as an API server sends them: kept connections, its own TLS, trust in the caBundle as it stands.
// Run by Node, so that neither our client nor our runtime is at both ends.
//   argv[2]: JSON of { name, bodies: [file], concurrency }; stdin: a JSON object a line, { ca, ports } or { stop: true }
import { readFileSync } from "node:fs";
import { Agent, request } from "node:https";
import { createInterface } from "node:readline";

const { name, bodies: files, concurrency } = JSON.parse(process.argv[2]);
const bodies = files.map((file) => readFileSync(file));
const failures = [];
const durations = [];
const serials = new Set();
let agent;
let ports = [];
let ca = "";
let isOver = false;
let started = false;
let turn = 0;

function send(body) {
  return new Promise((resolve, reject) => {
    const options = {
      host: "127.0.0.1", // as a Service's address stands for one of its pods
      port: ports[turn++ % ports.length],
      servername: name,
      path: "/inject",
      method: "POST",
      agent,
      headers: { "content-type": "application/json", "content-length": body.length },
    };
    const asked = request(options, (answer) => {
      serials.add(answer.socket.getPeerCertificate().serialNumber);
      const pieces = [];
      answer.on("data", (piece) => pieces.push(piece));
      answer.on("error", reject);
      answer.on("end", () => resolve({ status: answer.statusCode, text: Buffer.concat(pieces).toString() }));
    });
    asked.on("error", reject);
    asked.end(body);
  });
}

async function work() {
  while (!isOver) {
    const startedAt = performance.now();
    try {
      const { status, text } = await send(bodies[turn % bodies.length]);
      const { response } = JSON.parse(text);
      if (status !== 200 || response.allowed !== true || response.patch === undefined)
        failures.push(text.slice(0, 300));
      durations.push(performance.now() - startedAt);
    } catch (error) {
      failures.push(`${error.code ?? ""} ${error.message}`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}

function quantile(share) {
  const sorted = durations.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
}

let workers = [];
for await (const line of createInterface({ input: process.stdin })) {
  const told = JSON.parse(line);
  if (told.stop) break;
  if (told.reset) durations.length = 0;
  ports = told.ports ?? ports;
  if (told.ca !== undefined && told.ca !== ca) {
    ca = told.ca;
    agent = new Agent({ keepAlive: true, ca, maxSockets: concurrency });
  }
  if (!started && agent !== undefined && ports.length > 0) {
    started = true;
    workers = Array.from({ length: concurrency }, work);
  }
}
isOver = true;
await Promise.all(workers);
const [p50, p90, p99] = [0.5, 0.9, 0.99].map(quantile);
process.stdout.write(
  `${JSON.stringify({ ok: durations.length, failures, serials: [...serials], p50, p90, p99, most: quantile(1) })}\n`,
  () => process.exit(0),
);
