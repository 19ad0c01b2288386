/**
 * Did this working tree become slower? Both builds run twice in one run, side by side, several times from a fresh
 * start: what a process owes to its start (where its memory lies, what was compiled when) differs by more from start to
 * start than rounds within one show, so a start counts as one observation.
 */
import { buildCommit, buildWorkingTree, commitOf } from "./builds.ts";
import { type Contender, find } from "./contenders.ts";
import { type Column, measurePoint, type PointResult } from "./measure.ts";
import type { Point } from "./points.ts";
import { type Interval, median, ratioInterval } from "./statistics.ts";
import { suites } from "./suites.ts";

export interface ComparePlan {
  /** Fresh starts of all processes. */
  starts: number;
  /** Rounds within each. */
  rounds: number;
  roundMs: number;
  /** How much slower, as a share, is too much. */
  threshold: number;
  points: readonly Point[];
  say(line: string): void;
}

/** What one start says: CPU of the working tree to that of the other revision, and of each build to itself. */
export interface StartRatios {
  ratio: number;
  ownNoise: number;
  theirNoise: number;
}

export interface Verdict {
  sentence: string;
  tooSlow: boolean;
}

const WARM_UP_MS = 2000;

/** Measures and says so; false when at any point the tree is slower than the threshold allows, and not by chance. */
export async function compare(revision: string, plan: ComparePlan): Promise<boolean> {
  const commit = commitOf(revision);
  const theirs = await buildCommit(commit, plan.say);
  const ours = await buildWorkingTree(plan.say);
  const name = commit.slice(0, 10);
  const contenders = await Promise.all([
    contender("this tree", ours, plan),
    contender(`${name} A`, theirs, plan),
    contender(`${name} B`, theirs, plan),
  ]);
  const verdicts: Verdict[] = [];
  for (const point of plan.points) {
    const starts: StartRatios[] = [];
    for (let start = 1; start <= plan.starts; start++) {
      plan.say(`${point.name}, start ${start} of ${plan.starts}: ${point.doc}`);
      const measured = {
        rounds: plan.rounds,
        roundMs: plan.roundMs,
        warmUpMs: WARM_UP_MS,
        perSecond: 0,
        say: plan.say,
      };
      starts.push(startRatios(await measurePoint(suites.http!, contenders, point, measured)));
    }
    verdicts.push(judge(point.name, name, starts, plan.threshold));
  }
  plan.say(`\n${verdicts.map(({ sentence }) => sentence).join("\n")}`);
  return verdicts.every(({ tooSlow }) => !tooSlow);
}

async function contender(name: string, binary: string, { say }: ComparePlan): Promise<Contender> {
  const found = await find("outrigger", { fromSource: true, say });
  if ("missing" in found) throw new Error(found.missing);
  return { ...found.contender, name, program: [binary] };
}

/** The medians of the rounds of one start, as ratios. @throws when a build did not last */
export function startRatios({ columns, lost }: PointResult): StartRatios {
  const [ownA, theirA, theirB, ownB] = columns.map(usOf);
  if (ownB === undefined || columns.length !== 4) throw new Error(`a build did not last: ${lost.join("; ")}`);
  return {
    ratio: (ownA! + ownB) / (theirA! + theirB!),
    ownNoise: ownB / ownA!,
    theirNoise: theirB! / theirA!,
  };
}

function usOf({ samples }: Column): number {
  return median(samples.map((sample) => sample.usPerRequest));
}

/** Slower only when the interval leaves out "no difference", and too slow when the mean is above the threshold as well. */
export function judge(point: string, name: string, starts: readonly StartRatios[], threshold: number): Verdict {
  const interval = ratioInterval(starts.map(({ ratio }) => ratio));
  const slower = starts.filter(({ ratio }) => ratio > 1).length;
  const noise = [
    `this tree B ÷ A ${told(ratioInterval(starts.map(({ ownNoise }) => ownNoise)))}`,
    `${name} B ÷ A ${told(ratioInterval(starts.map(({ theirNoise }) => theirNoise)))}`,
  ].join(", ");
  const evidence = `(95 % interval ${percent(interval.low)} to ${percent(interval.high)}; slower in ${slower} of ${starts.length} starts; noise: ${noise})`;
  const tooSlow = interval.low > 1 && interval.mean > 1 + threshold;
  return { sentence: `${point}: ${words(interval, name, tooSlow ? threshold : undefined)} ${evidence}`, tooSlow };
}

function words({ mean, low, high }: Interval, name: string, exceeded: number | undefined): string {
  const change = `${percent(mean)} CPU per request`;
  if (exceeded !== undefined) return `SLOWER than ${name} by more than ${exceeded * 100} %: ${change}`;
  if (low > 1) return `a little slower than ${name}: ${change}`;
  if (high < 1) return `faster than ${name}: ${change}`;
  return `no difference to ${name} was seen: ${change}`;
}

function percent(ratio: number): string {
  const share = (ratio - 1) * 100;
  return `${share < 0 ? "−" : "+"}${Math.abs(share).toFixed(1)} %`;
}

function told({ mean, low, high }: Interval): string {
  return `${mean.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})`;
}
