/** Compares what came out of all collectors, one after the other, with what the writer says it wrote. */
import type { JournalEntry, Passing, Written } from "./journal.ts";
import { readLine } from "./lines.ts";

/** One collector, from its start to its kill or end. Unix milliseconds. */
export interface Life {
  readyAt: number;
  /** When it was killed; Infinity for the one that ended in good order. */
  killedAt: number;
  /** When the checkpoint was written last before that. */
  checkpointAt: number;
}

/** Whole lines in the order in which an output took them. */
export interface Delivered {
  readonly life: number;
  /** When they were acknowledged; missing where it is not known. Unix milliseconds. */
  readonly at?: number;
  /** When the collector had certainly read that: what it asked next came then. Missing where nothing came. */
  readonly knownAt?: number | undefined;
  readonly bytes: Uint8Array;
}

export interface Verdict {
  /** Lines that are nowhere and should not be; at most a few are named. */
  readonly missing: number;
  /** Lines that are nowhere because what held them was gone when a collector next looked. */
  readonly excused: number;
  readonly altered: number;
  readonly disordered: number;
  readonly duplicates: number;
  /** Undefined where times are not known. */
  readonly repeats: Repeats | undefined;
  /** Longest time from an acknowledgement that no checkpoint held to the kill, in milliseconds. */
  readonly unkeptMs: number;
  readonly examples: readonly string[];
}

/** Lines that came twice or more, in bytes. */
export interface Repeats {
  readonly bytes: number;
  /** Of them, those that might not: a checkpoint was written, before the kill, after they had been acknowledged. */
  readonly beyondBytes: number;
  /** At most a few of these, in words. */
  readonly beyond: readonly string[];
}

/** A look a second, and as much as a busy machine takes for the first one of a collector. */
const lookMs = 3_000;
const seenMs = 5_000;
/** How long a line may wait in a collector for an output that fails, so that a kill loses it with its file. */
export const failingWaitMs = 10_000;
/** The same for an output that takes everything with the look that finds it. */
export const steadyWaitMs = 0;
/** `Date.now()` is up to so much behind. */
const clockStepMs = 1;
const mostExamples = 8;

/** What is read from an archive comes beside the lines of the newer file. */
function isOrdered(stream: string): boolean {
  return !stream.startsWith("gzip");
}

export function judge(
  journal: readonly JournalEntry[],
  lives: readonly Life[],
  delivered: readonly Delivered[],
  waitMs: number,
): Verdict {
  const reading = new Reading(lives);
  for (const one of delivered) reading.take(one);
  for (const written of journal.filter((entry) => entry.kind === "written")) {
    const passings = journal.filter(
      (entry) => entry.kind === "passing" && entry.stream === written.stream,
    ) as Passing[];
    reading.findMissing(
      written,
      passings.filter((passing) => reading.isGone(passing, waitMs)),
    );
  }
  return reading.verdict();
}

class Reading {
  private missing = 0;
  private excused = 0;
  private altered = 0;
  private disordered = 0;
  private duplicates = 0;
  private readonly examples: string[] = [];
  /** By stream and number: the delivery after which the line must not come again, if there was one. */
  private readonly seen = new Map<string, Map<number, Delivered | undefined>>();
  private readonly lives: readonly Life[];
  /** By collector and stream: the number of the line that came last. */
  private readonly last: readonly Map<string, number>[];
  /** Of streams without an order, by collector and stream: the numbers that came. */
  private readonly own = new Map<string, Set<number>>();
  private readonly times: { life: number; at: number }[] = [];
  private readonly repeats = { bytes: 0, beyondBytes: 0, beyond: [] as string[] };

  constructor(lives: readonly Life[]) {
    this.lives = lives;
    this.last = lives.map(() => new Map());
  }

  take(delivered: Delivered): void {
    const { life, at, bytes } = delivered;
    if (at !== undefined) this.times.push({ life, at });
    const lines = Buffer.from(bytes).toString("latin1").split("\n");
    if (lines.pop() !== "") this.wrong("altered", `a batch of collector ${life} does not end with a line`);
    const kept = this.isKept(delivered) ? delivered : undefined;
    for (const text of lines) this.takeLine(text, life, kept);
  }

  /**
   * True when the collector's last checkpoint must have all of it: it was written after the acknowledgement had been
   * read. What was acknowledged later, or by an answer that was under way, may come again after a kill.
   */
  private isKept({ life, knownAt }: Delivered): boolean {
    return knownAt !== undefined && knownAt + clockStepMs <= this.lives[life]!.checkpointAt;
  }

  private takeLine(text: string, life: number, kept: Delivered | undefined): void {
    const line = readLine(text);
    if (line === undefined) {
      this.wrong("altered", `collector ${life}: ${text.slice(0, 60)}`);
      return;
    }
    const { stream, number } = line;
    this.takeOrder(stream, number, life);
    const seen = this.seen.get(stream) ?? new Map<number, Delivered | undefined>();
    this.seen.set(stream, seen);
    const before = seen.get(number);
    if (seen.has(number)) this.repeated(`${stream} ${number}`, text.length + 1, life, before);
    seen.set(number, before ?? kept);
  }

  private takeOrder(stream: string, number: number, life: number): void {
    const last = this.last[life]!.get(stream) ?? -1;
    this.last[life]!.set(stream, Math.max(last, number));
    if (!isOrdered(stream)) {
      // Nothing comes twice from one collector.
      const own = this.own.get(`${life} ${stream}`) ?? new Set();
      this.own.set(`${life} ${stream}`, own);
      if (own.has(number)) this.wrong("disordered", `collector ${life}: ${stream} ${number} twice`);
      own.add(number);
    } else if (number <= last) this.wrong("disordered", `collector ${life}: ${stream} ${number} after ${last}`);
  }

  private repeated(line: string, bytes: number, life: number, before: Delivered | undefined): void {
    this.duplicates++;
    this.repeats.bytes += bytes;
    if (before === undefined) return;
    this.repeats.beyondBytes += bytes;
    const { killedAt, checkpointAt } = this.lives[before.life]!;
    const ago = (at: number) => `${Math.round(killedAt - at)} ms`;
    const times = `acknowledged ${ago(before.at!)} before the kill, known ${ago(before.knownAt!)}, checkpoint ${ago(checkpointAt)}`;
    const what = `${line} came from collector ${before.life} and from ${life}: ${times}`;
    if (this.repeats.beyond.length < mostExamples) this.repeats.beyond.push(what);
  }

  findMissing({ stream, lines }: Written, gone: readonly Passing[]): void {
    const seen = this.seen.get(stream) ?? new Map();
    const isGone = (number: number) => gone.some(({ first, next }) => number >= first && number < next);
    const absent = Array.from({ length: lines }, (_, i) => i).filter((number) => !seen.has(number));
    const missing = absent.filter((number) => !isGone(number));
    this.excused += absent.length - missing.length;
    if (missing.length === 0) return;
    this.wrong("missing", `${stream} ${missing[0]} to ${missing.at(-1)} of ${lines}`);
    this.missing += missing.length - 1;
  }

  /** True when what the stream held then was in no file any more, or nothing led to it, when a collector next looked. */
  isGone({ from, to, quietFrom, stream, next, left }: Passing, waitMs: number): boolean {
    const overlapMs = ({ readyAt, killedAt }: Life, since: number) => Math.min(killedAt, to) - Math.max(readyAt, since);
    if (left === "file") return !this.lives.some((life) => overlapMs(life, from) >= seenMs);
    return !this.lives.some((life, i) => {
      if (overlapMs(life, quietFrom) < lookMs || life.killedAt < to) return false;
      // What a collector has of a file comes before the next one's lines; unless it had not read it when it was truncated.
      const isPast = left === "descriptor" && (this.last[i]!.get(stream) ?? -1) >= next;
      return isPast || life.killedAt > to + waitMs;
    });
  }

  verdict(): Verdict {
    const { missing, excused, altered, disordered, duplicates, examples } = this;
    return {
      missing,
      excused,
      altered,
      disordered,
      duplicates,
      repeats: this.times.length === 0 ? undefined : this.repeats,
      unkeptMs: this.unkeptMs(),
      examples,
    };
  }

  private unkeptMs(): number {
    const ages = this.lives.map(({ killedAt, checkpointAt }, life) => {
      const first = this.times.find((one) => one.life === life && one.at > checkpointAt && one.at <= killedAt);
      return first === undefined || killedAt === Number.POSITIVE_INFINITY ? 0 : killedAt - first.at;
    });
    return Math.max(0, ...ages);
  }

  private wrong(kind: "missing" | "altered" | "disordered", example: string): void {
    this[kind]++;
    if (this.examples.length < mostExamples) this.examples.push(`${kind}: ${example}`);
  }
}
