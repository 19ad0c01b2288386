/**
 * MB of log per CPU second of each collector. In each round all of them collect the same lines one after the other,
 * each in a new process with empty state; the order is reversed every round. The first contender runs twice a round,
 * first and last: the ratio of the two shows how much of a difference is noise.
 */
import { linkSync } from "node:fs";
import { join } from "node:path";
import { PROXY_CORE } from "../layout.ts";
import { coreBusyTicks } from "../linux.ts";
import type { Case } from "./cases.ts";
import { check } from "./checks.ts";
import { Collector } from "./collector.ts";
import type { LogContender } from "./contenders.ts";
import { type LineFile, mark, type Sum } from "./lines.ts";
import { type Output, OutputFile, OutputSink } from "./output.ts";

export interface LogPlan {
  rounds: number;
  /** Where all files are: on a file system with room for two rounds. */
  workspace: string;
  say(line: string): void;
}

/** One collector in one round. */
export interface LogSample {
  mbPerCpuSecond: number;
  mbPerSecond: number;
  peakRssMiB: number;
  /** Share of the core that others used meanwhile. */
  foreign: number;
}

export interface LogColumn {
  label: string;
  samples: LogSample[];
}

export interface CaseResult {
  case: Case;
  rounds: number;
  bytes: number;
  /** The subject first and last. */
  columns: LogColumn[];
  lost: string[];
}

/** What a round gives everyone: the warm-up finds the code compiled and the file's folder watched. */
export interface Feed {
  first: LineFile;
  main: LineFile;
}

interface Entry {
  label: string;
  contender: LogContender;
  isSubject: boolean;
  column: LogColumn;
  fault: string | undefined;
  /** Of its output, once that was checked line by line. */
  right: Sum | undefined;
}

/** Until a checkpoint or a state file was written that became due with the last line. */
const SETTLE_MS = 1200;
export const START_LIMIT_MS = 30_000;
/** A third of the speed of the slowest collector on a quiet core; who is slower is stopped. */
export const LEAST_MB_PER_SECOND = 3;
const POLL_MS = 10;

/** A collector that was still at work when its time was over; the message says how far it had come. */
export class Unfinished extends Error {}

export async function measureCase(
  one: Case,
  contenders: readonly LogContender[],
  feed: Feed,
  plan: LogPlan,
): Promise<CaseResult> {
  const entries = line(contenders);
  const order = [...entries];
  const sink = one.switches.http ? await OutputSink.start() : undefined;
  for (let round = 1; round <= plan.rounds; round++) {
    for (const entry of order)
      if (entry.fault === undefined)
        await guarded(entry, round, plan, () => sampleOf(entry, { one, feed, plan, sink }));
    order.reverse();
    plan.say(`  round ${round}: MB per CPU second: ${entries.map(lastFigure).join(", ")}`);
  }
  sink?.stop();
  return {
    case: one,
    rounds: plan.rounds,
    bytes: feed.main.bytes,
    columns: entries.filter(({ fault }) => fault === undefined).map(({ column }) => column),
    lost: entries.flatMap(({ label, fault }) => (fault === undefined ? [] : [`${label}: ${fault}`])),
  };
}

function line([subject, ...others]: readonly LogContender[]): Entry[] {
  if (!subject) return [];
  const entry = (label: string, contender: LogContender): Entry => ({
    label,
    contender,
    isSubject: contender === subject,
    column: { label, samples: [] },
    fault: undefined,
    right: undefined,
  });
  const between = others.map((other) => entry(other.name, other));
  return [entry(`${subject.name} A`, subject), ...between, entry(`${subject.name} B`, subject)];
}

function lastFigure({ label, column, fault }: Entry): string {
  return `${label} ${fault === undefined ? column.samples.at(-1)?.mbPerCpuSecond.toFixed(0) : "–"}`;
}

/** What goes wrong with the subject ends the run; another contender is left out from here on, and the page says why. */
async function guarded(entry: Entry, round: number, plan: LogPlan, sample: () => Promise<LogSample>): Promise<void> {
  try {
    entry.column.samples.push(await sample());
  } catch (error) {
    if (entry.isSubject) throw error;
    entry.fault = `round ${round}: ${(error as Error).message}`;
    plan.say(`  left out: ${entry.label}: ${entry.fault}`);
  }
}

interface Round {
  one: Case;
  feed: Feed;
  plan: LogPlan;
  /** Where lines come by HTTP. */
  sink: OutputSink | undefined;
}

async function sampleOf(entry: Entry, { one, feed, plan, sink }: Round): Promise<LogSample> {
  await sink?.reset();
  const collector = await Collector.start(entry.contender, entry.label, {
    workspace: plan.workspace,
    places: { sink: sink?.port ?? 0 },
    switches: one.switches,
    prepare: (folder) => linkSync(feed.first.path, join(folder, "first.log")),
  });
  try {
    const output = sink ?? new OutputFile(collector.out);
    await arrived(collector, output, feed.first, limitMs(feed.first));
    await Bun.sleep(SETTLE_MS);
    const sample = await timed(collector, output, feed.main);
    await collector.stop();
    await mustBeRight(entry, one, output, feed.main.to);
    return sample;
  } finally {
    await collector.stop();
    collector.remove();
  }
}

async function timed(collector: Collector, output: Output, file: LineFile): Promise<LogSample> {
  const before = { cpuMs: collector.cpuMs(), coreMs: coreBusyTicks(PROXY_CORE) * 10, atMs: performance.now() };
  collector.give(file, "main");
  await arrived(collector, output, file, limitMs(file));
  const wallMs = performance.now() - before.atMs;
  await Bun.sleep(SETTLE_MS);
  const cpuMs = collector.cpuMs() - before.cpuMs;
  const coreMs = coreBusyTicks(PROXY_CORE) * 10 - before.coreMs;
  return {
    mbPerCpuSecond: file.bytes / 1e3 / cpuMs,
    mbPerSecond: file.bytes / 1e3 / wallMs,
    peakRssMiB: collector.peakRssMiB(),
    foreign: Math.max(0, coreMs - cpuMs) / (wallMs + SETTLE_MS),
  };
}

/** For how long a collector may be at work on the file. */
function limitMs({ bytes }: LineFile): number {
  return START_LIMIT_MS + bytes / 1e3 / LEAST_MB_PER_SECOND;
}

/** Waits for the last line of the file. @throws Unfinished when it does not come in time @throws when the collector has ended */
export async function arrived(collector: Collector, output: Output, file: LineFile, withinMs: number): Promise<void> {
  const last = mark(file.to - 1);
  for (const until = performance.now() + withinMs; !(await output.endsWith(last)); await Bun.sleep(POLL_MS)) {
    collector.pids();
    if (performance.now() < until) continue;
    const done = `${((await output.size()) / 1e6).toFixed(1)} MB delivered, ${(collector.cpuMs() / 1000).toFixed(1)} CPU seconds used`;
    throw new Unfinished(
      `stopped after ${(withinMs / 1000).toFixed(0)} s, before line ${last} came: ${done} ${collector.said()}`.trim(),
    );
  }
}

/** The first time line by line where need be, later by the sum. */
async function mustBeRight(entry: Entry, one: Case, output: Output, count: number): Promise<void> {
  if (entry.right !== undefined) {
    const { bytes, crc } = await output.sum();
    if (bytes === entry.right.bytes && crc === entry.right.crc) return;
  }
  entry.right = await check(one, output, count);
}
