/**
 * A collector in a process of its own, for tests that kill it: `bun collect.ts STATE_FOLDER PATTERN…`, or `pipe:PATH`
 * instead of patterns.
 *
 * Lines go to stdout, events to stderr as JSON. Commands come from stdin, one JSON object a line:
 * `{"record": ["access", "text"]}`, `{"reload": ["pattern"]}`, `{"state": true}`, `{"metrics": true}`, `{"crash": true}`.
 * SIGTERM drains and ends with exit code 0.
 */
import { systemClock } from "../../src/clock.ts";
import type { RecordStream, Thread } from "../../src/contracts.ts";
import { UserError } from "../../src/errors.ts";
import { Collector } from "../../src/logs/collector.ts";
import { MetricsRegion, spineMetrics } from "../../src/metrics.ts";

const [stateDir = "", ...patterns] = process.argv.slice(2);
const drainMs = 5_000;

const thread: Thread = {
  clock: systemClock,
  random: Math.random,
  emit: (event, fields = {}) => void process.stderr.write(`${JSON.stringify({ event, ...fields })}\n`),
  metrics: new MetricsRegion(spineMetrics, { strict: true }),
  record: () => false,
};

function entries(paths: string[]) {
  if (paths.length === 0) return [];
  const pipe = /^pipe:(.*)/.exec(paths[0]!)?.[1];
  const input =
    pipe === undefined
      ? { use: "files", options: { paths, exclude: [], from: "beginning" } }
      : { use: "pipe", options: { path: pipe, mode: "0622", spool: 8 * 1024 ** 2, maxLine: 1024 ** 2 } };
  return [{ name: input.use, input, outputs: [{ name: "stdout", use: "stdout", options: {} }] }];
}

const collector = await Collector.start({ logs: entries(patterns), stateDir, thread }).catch((error: unknown) => {
  thread.emit("refused", { message: String(error), exitCode: error instanceof UserError ? error.exitCode : 0 });
  process.exit(3);
});

function metrics(): Record<string, number> {
  const all = collector.metricsSources().flatMap(({ series, values }) =>
    series.map(({ name, labels, slot }) => {
      return [`${name}{${labels.map(([, value]) => value).join()}}`, values[slot]!] as const;
    }),
  );
  return Object.fromEntries(all);
}

interface Command {
  record?: [RecordStream, string];
  reload?: string[];
  state?: true;
  metrics?: true;
  crash?: true;
}

async function obey(command: Command): Promise<void> {
  if (command.record !== undefined && !collector.record(...command.record)) thread.emit("dropped");
  if (command.reload !== undefined) await collector.reload(entries(command.reload));
  if (command.state) thread.emit("state", { rows: await collector.state() });
  if (command.metrics) thread.emit("metrics", metrics());
  // A message the worker cannot read fails it like every other fault in it.
  if (command.crash) (Reflect.get(collector, "worker") as Worker).postMessage(null);
}

let ending = false;
async function end(): Promise<void> {
  if (ending) return;
  ending = true;
  thread.emit("drained", { ...(await collector.drain(drainMs)) });
  await collector.stop();
  process.exit(0);
}

process.on("SIGTERM", () => void end());
thread.emit("collecting"); // not before a SIGTERM would drain

// The main thread serves traffic: how late its timers run is what a slow reader of stdout must not change.
let latestMs = 0;
let dueAt = performance.now() + 10;
setInterval(() => {
  latestMs = Math.max(latestMs, performance.now() - dueAt);
  dueAt = performance.now() + 10;
}, 10);
process.on("exit", () => thread.emit("lag", { latestMs: Math.round(latestMs) }));

for await (const line of console) await obey(JSON.parse(line));
