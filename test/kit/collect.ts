/**
 * A collector in a process of its own, for tests that kill it: `bun collect.ts STATE_FOLDER PATTERN…`.
 * Lines go to stdout, events to stderr as JSON. SIGTERM drains and ends with exit code 0; so does the end of stdin.
 */
import { systemClock } from "../../src/clock.ts";
import type { Thread } from "../../src/contracts.ts";
import { Collector } from "../../src/logs/collector.ts";
import { MetricsRegion, spineMetrics } from "../../src/metrics.ts";

const [stateDir = "", ...paths] = process.argv.slice(2);
const drainMs = 5_000;

const thread: Thread = {
  clock: systemClock,
  random: () => crypto.getRandomValues(new Uint32Array(1))[0]! / 2 ** 32,
  emit: (event, fields = {}) => void process.stderr.write(`${JSON.stringify({ event, ...fields })}\n`),
  metrics: new MetricsRegion(spineMetrics, { strict: true }),
  record: () => false,
};

const input = { use: "files", options: { paths, exclude: [], from: "beginning" } };
const outputs = [{ name: "stdout", use: "stdout", options: {} }];
const collector = await Collector.start({ logs: [{ name: "files", input, outputs }], stateDir, thread });
thread.emit("collecting");

let ending = false;
async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  thread.emit("drained", { ...(await collector.drain(drainMs)) });
  await collector.stop();
  process.exit(0);
}

process.on("SIGTERM", () => void end());
