/** What a soak saw of the sidecar over time, and whether that is flat. */
import { table } from "./page.ts";
import { median, robustSlope } from "./statistics.ts";

export interface Reading {
  /** Since the traffic began. */
  minutes: number;
  rssMiB: number;
  rssAnonMiB: number;
  descriptors: number;
  /** The worst since the reading before. */
  loopDelayMs: number;
  /** Acts of the traffic so far. */
  acts: number;
}

export interface Outcome {
  readings: readonly Reading[];
  /** Before the traffic and once it was over. */
  descriptorsBefore: number;
  descriptorsAfter: number;
  /** Answers that were not what they had to be. */
  wrong: number;
  /** How the process ended on SIGTERM. */
  exitCode: number | null;
}

/** What is judged, and whether it holds. */
export interface Finding {
  holds: boolean;
  sentence: string;
}

/** Anonymous memory may grow by this over the second half: 15 MiB an hour is noise of a collector, not a leak. */
export const SLOPE_LIMIT_MIB_PER_MINUTE = 0.25;
/** A descriptor or two may belong to a connection that is just being closed. */
export const DESCRIPTOR_LIMIT = 2;
/** Worse by more than double, and by more than a busy machine's scheduling explains. */
export const DELAY_FACTOR = 2;
export const DELAY_SLACK_MS = 20;
/** Below this many readings in a half, a slope is chance. */
const FEWEST = 12;

export function judge({ readings, descriptorsBefore, descriptorsAfter, wrong, exitCode }: Outcome): Finding[] {
  const half = readings.length / 2;
  const [first, second] = [readings.slice(0, Math.floor(half)), readings.slice(Math.ceil(half))];
  const isLong = second.length >= FEWEST;
  const short = isLong ? "" : "; too few readings to judge, run it longer";
  return [
    { holds: wrong === 0, sentence: `${wrong} wrong answers` },
    slopeFinding(second, isLong, short),
    {
      holds: descriptorsAfter <= descriptorsBefore + DESCRIPTOR_LIMIT,
      sentence: `descriptors: ${descriptorsBefore} before, ${descriptorsAfter} after`,
    },
    delayFinding(first, second, isLong, short),
    { holds: exitCode === 0, sentence: `exit code ${exitCode} after SIGTERM` },
  ];
}

function slopeFinding(second: readonly Reading[], isLong: boolean, short: string): Finding {
  const slope = robustSlope(second.map(({ minutes, rssAnonMiB }) => [minutes, rssAnonMiB] as const));
  return {
    holds: !isLong || slope <= SLOPE_LIMIT_MIB_PER_MINUTE,
    sentence: `RssAnon over the second half: ${slope.toFixed(3)} MiB a minute (Theil–Sen; at most ${SLOPE_LIMIT_MIB_PER_MINUTE})${short}`,
  };
}

function delayFinding(first: readonly Reading[], second: readonly Reading[], isLong: boolean, short: string): Finding {
  const [before, after] = [first, second].map((half) => median(half.map((reading) => reading.loopDelayMs)));
  const limit = before! * DELAY_FACTOR + DELAY_SLACK_MS;
  return {
    holds: !isLong || after! <= limit,
    sentence: `loop delay, median of the worst of each reading: ${before!.toFixed(1)} ms in the first half, ${after!.toFixed(1)} in the second (at most ${limit.toFixed(1)})${short}`,
  };
}

export const HEAD = ["min", "RSS MiB", "RssAnon MiB", "descriptors", "loop delay ms", "acts"];

export function cells({ minutes, rssMiB, rssAnonMiB, descriptors, loopDelayMs, acts }: Reading): string[] {
  const figures = [minutes, rssMiB, rssAnonMiB].map((value) => value.toFixed(1));
  return [...figures, String(descriptors), loopDelayMs.toFixed(1), String(acts)];
}

/** The series and the verdict, as Markdown. */
export function soakSection(outcome: Outcome, exercised: readonly string[]): string {
  const findings = judge(outcome).map(({ holds, sentence }) => `- ${holds ? "holds" : "FAILS"}: ${sentence}`);
  return [
    exercised.map((line) => `- ${line}`).join("\n"),
    findings.join("\n"),
    table(HEAD, outcome.readings.map(cells)),
  ].join("\n\n");
}
