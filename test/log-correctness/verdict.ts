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

/** Whole lines in the order in which an output took them. `at` is missing where it is not known. */
export interface Delivered {
  readonly life: number;
  readonly at?: number;
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
  /** Of one collector, in bytes, and how many it might have been; undefined where times are not known. */
  readonly worst: Repeats | undefined;
  /** Longest time from an acknowledgement that no checkpoint held to the kill, in milliseconds. */
  readonly unkeptMs: number;
  readonly examples: readonly string[];
}

export interface Repeats {
  readonly repeatedBytes: number;
  readonly allowedBytes: number;
  /** How many lines of which stream. */
  readonly lines: Readonly<Record<string, number>>;
}

/** A look a second, and as much as a busy machine takes for the first one of a collector. */
const lookMs = 3_000;
const seenMs = 5_000;
/** How long a line may wait in a collector for an output that fails, so that a kill loses it with its file. */
export const failingWaitMs = 10_000;
/** The same for an output that takes everything with the look that finds it. */
export const steadyWaitMs = 0;
/** Answers that were on their way when the checkpoint was written. */
const underWayMs = 1_000;
const mostExamples = 8;

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
  private readonly seen = new Map<string, Set<number>>();
  private readonly lives: readonly Life[];
  private readonly perLife: { last: Map<string, number>; repeatedBytes: number; lines: Record<string, number> }[];
  private readonly times: { life: number; at: number; bytes: number }[] = [];

  constructor(lives: readonly Life[]) {
    this.lives = lives;
    this.perLife = lives.map(() => ({ last: new Map(), repeatedBytes: 0, lines: {} }));
  }

  take({ life, at, bytes }: Delivered): void {
    if (at !== undefined) this.times.push({ life, at, bytes: bytes.length });
    const lines = Buffer.from(bytes).toString("latin1").split("\n");
    if (lines.pop() !== "") this.wrong("altered", `a batch of collector ${life} does not end with a line`);
    for (const text of lines) this.takeLine(text, life);
  }

  private takeLine(text: string, life: number): void {
    const line = readLine(text);
    if (line === undefined) {
      this.wrong("altered", `collector ${life}: ${text.slice(0, 60)}`);
      return;
    }
    const { stream, number } = line;
    const own = this.perLife[life]!;
    const last = own.last.get(stream) ?? -1;
    if (number <= last) this.wrong("disordered", `collector ${life}: ${stream} ${number} after ${last}`);
    own.last.set(stream, number);
    const seen = this.seen.get(stream) ?? new Set();
    this.seen.set(stream, seen);
    if (seen.has(number)) {
      this.duplicates++;
      own.repeatedBytes += text.length + 1;
      own.lines[stream] = (own.lines[stream] ?? 0) + 1;
    }
    seen.add(number);
  }

  findMissing({ stream, lines }: Written, gone: readonly Passing[]): void {
    const seen = this.seen.get(stream) ?? new Set();
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
      const isPast = left === "descriptor" && (this.perLife[i]!.last.get(stream) ?? -1) >= next;
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
      worst: this.worst(),
      unkeptMs: this.unkeptMs(),
      examples,
    };
  }

  /**
   * The collector that came nearest to repeating more than it may, or went beyond. What one collector had acknowledged
   * after its last checkpoint may be repeated by the next, or by a later one when that did not come so far.
   */
  private worst(): Repeats | undefined {
    if (this.times.length === 0) return undefined;
    let allowedBytes = 0;
    const all: Repeats[] = this.perLife.map(({ repeatedBytes, lines }, life) => {
      const repeats = { repeatedBytes, allowedBytes, lines };
      const since = this.lives[life]!.checkpointAt - underWayMs;
      const unkept = this.times.filter((one) => one.life === life && one.at > since);
      allowedBytes = Math.max(0, allowedBytes - repeatedBytes) + unkept.reduce((sum, { bytes }) => sum + bytes, 0);
      return repeats;
    });
    const excess = (one: Repeats) => one.repeatedBytes - one.allowedBytes;
    return all.sort((a, b) => excess(b) - excess(a))[0];
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
