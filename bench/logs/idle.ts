/** What it costs to watch many files to which nothing is written, and how soon a line is seen all the same. */
import { appendFileSync } from "node:fs";
import { join } from "node:path";
import { conditions } from "../machine.ts";
import { table } from "../page.ts";
import { median } from "../statistics.ts";
import { Collector } from "./collector.ts";
import type { LogContender } from "./contenders.ts";
import { mustHold } from "./flow.ts";
import { LINE_BYTES, plain, writeLines } from "./lines.ts";
import { logConfigs } from "./report.ts";

export interface IdlePlan {
  files: number;
  seconds: number;
  workspace: string;
  /** What kind of file system that is. */
  kind: string;
  say(line: string): void;
}

interface Idle {
  label: string;
  /** Of one core, 0 to 1. */
  share: number;
  rssMiB: number;
  /** From the append to its arrival; each to another file. */
  delaysMs: number[];
}

interface Collected {
  collectors: Collector[];
  /** Why others are not among them. */
  lost: string[];
}

const LINES_A_FILE = 10;
/** Long enough for everything that slows down with quiet files to have done so. */
const SETTLE_MS = 15_000;
const APPENDS = 11;
/** Done when 3: of a core. */
const BAR = 0.01;

/** Measures all of them at once, idle as they are, and returns the section of the page. */
export async function measureIdle(contenders: readonly LogContender[], plan: IdlePlan): Promise<string> {
  const all: Collector[] = [];
  try {
    for (const contender of contenders) all.push(await started(contender, plan));
    const { collectors, lost } = await collected(all, plan);
    await Bun.sleep(SETTLE_MS);
    plan.say(`  ${plan.files} files each, ${plan.seconds} s`);
    const before = collectors.map((collector) => collector.cpuMs());
    const startedAt = performance.now();
    await Bun.sleep(plan.seconds * 1000);
    const elapsedMs = performance.now() - startedAt;
    const shares = collectors.map((collector, i) => (collector.cpuMs() - before[i]!) / elapsedMs);
    const seen: Idle[] = [];
    for (const [i, collector] of collectors.entries()) {
      const { label } = collector;
      seen.push({ label, share: shares[i]!, rssMiB: collector.peakRssMiB(), delaysMs: await delays(collector, plan) });
    }
    return section(contenders, seen, lost, plan);
  } finally {
    for (const collector of all) {
      await collector.stop();
      collector.remove();
    }
  }
}

function started(contender: LogContender, { files, workspace }: IdlePlan): Promise<Collector> {
  const prepare = (folder: string) => {
    for (let n = 0; n < files; n++) {
      writeLines(plain, join(folder, `app-${n}.log`), n * LINES_A_FILE, (n + 1) * LINES_A_FILE);
    }
  };
  return Collector.start(contender, contender.name, { workspace, switches: { raw: 1 }, prepare });
}

/** Those that have collected all there is. Another than the first that has not in time is stopped, and the page says so. */
async function collected(all: readonly Collector[], { files, say }: IdlePlan): Promise<Collected> {
  const collectors: Collector[] = [];
  const lost: string[] = [];
  for (const [i, collector] of all.entries()) {
    try {
      await mustHold(collector, files * LINES_A_FILE * LINE_BYTES);
      collectors.push(collector);
    } catch (error) {
      if (i === 0) throw error;
      await collector.stop();
      lost.push(`left out: ${(error as Error).message}`);
      say(`  ${lost.at(-1)}`);
    }
  }
  return { collectors, lost };
}

async function delays(collector: Collector, { files }: IdlePlan): Promise<number[]> {
  const delaysMs: number[] = [];
  let lines = files * LINES_A_FILE;
  for (let n = 0; n < APPENDS; n++) {
    await Bun.sleep(300 + 70 * n);
    const file = Math.floor((n * files) / APPENDS);
    const appendedAt = performance.now();
    appendFileSync(join(collector.in, `app-${file}.log`), plain.line(lines++));
    await mustHold(collector, lines * LINE_BYTES);
    delaysMs.push(performance.now() - appendedAt);
  }
  return delaysMs;
}

function section(
  contenders: readonly LogContender[],
  seen: readonly Idle[],
  lost: readonly string[],
  plan: IdlePlan,
): string {
  const rows = seen.map(({ label, share, rssMiB, delaysMs }) => [
    label,
    `${(share * 100).toFixed(2)} %`,
    label === "outrigger" ? `< ${BAR * 100} %: ${share < BAR ? "within the bar" : "over the bar"}` : "–",
    rssMiB.toFixed(1),
    median(delaysMs).toFixed(0),
    Math.max(...delaysMs).toFixed(0),
  ]);
  return [
    ...conditions().map((fact) => `- ${fact}`),
    `- ${logConfigs(contenders)}`,
    ...lost.map((why) => `- ${why}`),
    `- ${plan.files} files of ${LINES_A_FILE} lines each, all of them collected, then ${SETTLE_MS / 1000} s later ${plan.seconds} s in which nothing is written: user and system time of the whole process. Afterwards a line is appended to one file after the other (${APPENDS} of them), and its arrival waited for. Files ${plan.kind}; all collectors at once, each with files of its own.`,
    "",
    table(["", "of a core", "bar", "peak RSS MiB", "delay of a line, median ms", "largest ms"], rows),
  ].join("\n");
}
