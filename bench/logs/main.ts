/** `npm run bench -- logs`: what it is called with, and which of its points are run. */
import { join } from "node:path";
import type { Section } from "../page.ts";
import { type Case, cases } from "./cases.ts";
import { findCollector, LOG_CONTENDERS, type LogContender } from "./contenders.ts";
import { measureIdle } from "./idle.ts";
import { measureLatency } from "./latency.ts";
import { LINE_BYTES, PERIOD, writeLines } from "./lines.ts";
import { type CaseResult, type Feed, measureCase } from "./measure.ts";
import { FLOW_SECONDS, measureMemory } from "./memory.ts";
import { logSection } from "./report.ts";
import { makeWorkspace, type Workspace } from "./workspace.ts";

export interface LogOptions {
  /** Names of points; none for all. */
  points: readonly string[];
  /** Names of other collectors; none for all. */
  against: readonly string[];
  /** Of each point; its own when absent. */
  rounds?: number | undefined;
  /** Of each file; each case's own when absent. */
  bytes?: number | undefined;
  /** Of a run of p99, or of the idle time; each its own when absent. */
  seconds?: number | undefined;
  fromSource: boolean;
  say(line: string): void;
}

/** A section of the page, and whether the run was large enough for it to be kept. */
export interface LogSection {
  name: Section;
  body: string;
  isWhole: boolean;
}

interface Point {
  name: string;
  doc: string;
  /** Not run unless named: it takes longer than all others together. */
  isLong?: true;
  run(options: LogOptions): Promise<LogSection>;
}

const WARM_UP_BYTES = 32 * 2 ** 20;
const P99 = { runs: 9, seconds: 3, requestsPerSecond: 2000, logBytesPerSecond: 24e6 };
const IDLE = { files: 1000, seconds: 60 };
const MEMORY = { seconds: 600, bytesPerSecond: 24e6 };

/** What is no throughput. */
const others: readonly Point[] = [
  { name: "p99", doc: "requests while logs flow, against rsyslog reading the same", run: p99 },
  { name: "idle", doc: `${IDLE.files} files to which nothing is written`, run: idle },
  { name: "memory", doc: "an HTTP sink that fails half of the time", isLong: true, run: memory },
];

export const LOG_POINTS = [...cases, ...others].map(({ name }) => name);
export const LOG_USAGE = `--bytes 256MiB  of log for each collector in a round   --rounds 5  or runs of p99
            --seconds 3  of a run of p99, of idle's quiet or of memory, which is run only by name`;

/** Measures the chosen points one after the other. */
export async function* measureLogs(options: LogOptions): AsyncGenerator<LogSection> {
  const isChosen = ({ name }: { name: string }) => options.points.length === 0 || options.points.includes(name);
  const chosen = cases.filter(isChosen);
  if (chosen.length > 0) yield await throughput(chosen, options);
  for (const point of others) {
    if (!isChosen(point) || (point.isLong && !options.points.includes(point.name))) continue;
    options.say(`logs ${point.name}: ${point.doc}`);
    yield await point.run(options);
  }
}

async function throughput(chosen: readonly Case[], options: LogOptions): Promise<LogSection> {
  const { contenders, missing } = await collectors(options);
  const most = Math.max(...chosen.map((one) => options.bytes ?? one.bytes));
  const results: CaseResult[] = [];
  const workspace = makeWorkspace(2 * (most + WARM_UP_BYTES));
  try {
    const startedAt = performance.now();
    for (const [i, one] of chosen.entries()) {
      const plan = { rounds: options.rounds ?? one.rounds, workspace: workspace.folder, say: options.say };
      const minutes = ((performance.now() - startedAt) / 60_000).toFixed(1);
      options.say(`logs ${one.name} (${i + 1} of ${chosen.length}, after ${minutes} min): ${one.doc}`);
      const its = contenders.filter(({ name }, i) => i === 0 || one.contenders.includes(name));
      results.push(await measureCase(one, its, feedOf(one, options.bytes ?? one.bytes, workspace), plan));
    }
  } finally {
    workspace.remove();
  }
  const isUsual =
    options.bytes === undefined && options.rounds === undefined && options.against.length === 0 && missing.length === 0;
  return {
    name: "logs",
    body: logSection({ contenders, missing, results, files: workspace.kind }),
    isWhole: isUsual && chosen.length === cases.length,
  };
}

function feedOf({ kind }: Case, bytes: number, { folder }: Workspace): Feed {
  const whole = (size: number) => Math.max(1, Math.floor(size / LINE_BYTES / PERIOD)) * PERIOD;
  const [warmUp, lines] = [whole(Math.min(bytes / 4, WARM_UP_BYTES)), whole(bytes)];
  return {
    first: writeLines(kind, join(folder, `${kind.name}-first`), 0, warmUp),
    main: writeLines(kind, join(folder, `${kind.name}-main`), warmUp, warmUp + lines),
  };
}

async function p99(options: LogOptions): Promise<LogSection> {
  const { contenders } = await collectors({ ...options, against: ["rsyslog"] });
  const [outrigger, rsyslog] = contenders;
  if (!outrigger || !rsyslog) throw new Error("p99 needs rsyslog");
  const { rounds: runs = P99.runs, seconds = P99.seconds } = options;
  const workspace = makeWorkspace(3 * (runs + 2) * seconds * P99.logBytesPerSecond);
  try {
    const place = { workspace: workspace.folder, kind: workspace.kind, say: options.say };
    const body = await measureLatency(outrigger, rsyslog, { ...P99, runs, seconds, ...place });
    return { name: "logs_p99", body, isWhole: runs >= P99.runs && seconds >= P99.seconds };
  } finally {
    workspace.remove();
  }
}

async function idle(options: LogOptions): Promise<LogSection> {
  const { contenders } = await collectors(options);
  const seconds = options.seconds ?? IDLE.seconds;
  const workspace = makeWorkspace(contenders.length * IDLE.files * 64 * 1024);
  try {
    const place = { workspace: workspace.folder, kind: workspace.kind, say: options.say };
    const body = await measureIdle(contenders, { ...IDLE, seconds, ...place });
    return { name: "logs_idle", body, isWhole: seconds >= IDLE.seconds };
  } finally {
    workspace.remove();
  }
}

async function memory(options: LogOptions): Promise<LogSection> {
  const [outrigger] = (await collectors({ ...options, against: ["outrigger"] })).contenders;
  if (!outrigger) throw new Error("there is no outrigger");
  const seconds = options.seconds ?? MEMORY.seconds;
  const workspace = makeWorkspace(3 * FLOW_SECONDS * MEMORY.bytesPerSecond);
  try {
    const place = { workspace: workspace.folder, kind: workspace.kind, say: options.say };
    const body = await measureMemory(outrigger, { ...MEMORY, seconds, ...place });
    return { name: "logs_memory", body, isWhole: seconds >= MEMORY.seconds };
  } finally {
    workspace.remove();
  }
}

async function collectors(options: LogOptions): Promise<{ contenders: LogContender[]; missing: string[] }> {
  const contenders: LogContender[] = [];
  const missing: string[] = [];
  for (const name of new Set(["outrigger", ...(options.against.length > 0 ? options.against : LOG_CONTENDERS)])) {
    const found = await findCollector(name, options);
    if ("contender" in found) contenders.push(found.contender);
    else if (name === "outrigger") throw new Error(found.missing);
    else missing.push(found.missing);
  }
  for (const why of missing) options.say(`left out: ${why}`);
  return { contenders, missing };
}
