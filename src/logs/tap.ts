/**
 * Shows lines to whoever watches, on their way to an output.
 *
 *   lane -> TappedLane -> output                   one comparison a block while nobody watches
 *               \-> filter -> ring -> main -> the admin listener
 *
 * A ring has its size, and main empties it at most every 50 ms: a watcher that is slow, and one that wants all of a
 * flood, miss lines, and are told how many. Reading and delivering never wait for them.
 */
import type { Block, Lane } from "../contracts.ts";
import { Exclusion } from "./following/glob.ts";
import { RecordRing } from "./record-ring.ts";
import { lineOf, textOf } from "./shaping/record.ts";

/** What somebody wants to see. */
export interface TapFilter {
  /** Name of an entry of `logs:`; `-` is the sidecar's own records. All by default. */
  readonly input?: string;
  /** Name of an output. By default each line once, with the output that gets it first. */
  readonly output?: string;
  /** A pattern for paths; one without a slash for the name alone. All by default. */
  readonly path?: string;
  /** `json`: an object per line with where it comes from. `text`: the line alone. */
  readonly format: "json" | "text";
}

/** What main gives along for a tap: where lines are put, and where the missed ones are counted. */
export interface TapMemory {
  readonly ring: SharedArrayBuffer;
  /** One number of 32 bits. */
  readonly missed: SharedArrayBuffer;
}

const ringMs = 50;
const newline = 10;
/** Sources a tap remembers: beyond that it begins anew, and a line may be shown for a second output. */
const mostSources = 10_000;

class Tap {
  readonly filter: TapFilter;
  private readonly paths: Exclusion | undefined;
  private readonly ring: RecordRing;
  private readonly missed: Int32Array;
  /** By source: up to where it was shown, so that the second output's copy is not. */
  private readonly shown = new Map<string, number>();

  constructor(filter: TapFilter, memory: TapMemory) {
    this.filter = filter;
    this.paths = filter.path === undefined ? undefined : new Exclusion([filter.path]);
    this.ring = new RecordRing(memory.ring);
    this.missed = new Int32Array(memory.missed);
  }

  show(block: Block, output: string): void {
    const { source } = block;
    const { filter } = this;
    if (filter.input !== undefined && filter.input !== source.input) return;
    if (filter.output !== undefined && filter.output !== output) return;
    if (this.paths?.takes(source.path) === false) return;
    if (filter.output === undefined && this.wasShown(block)) return;
    this.append(block, output);
  }

  private wasShown({ source, start, end }: Block): boolean {
    if (start < (this.shown.get(source.id) ?? 0)) return true;
    if (this.shown.size >= mostSources) this.shown.clear();
    this.shown.set(source.id, end);
    return false;
  }

  private append(block: Block, output: string): void {
    const { input, path } = block.source;
    const before = JSON.stringify({ input, output, path }).slice(0, -1);
    const isText = this.filter.format === "text";
    let appended = 0;
    for (const line of linesIn(block)) {
      if (!this.ring.append(isText ? line : `${before},"line":${JSON.stringify(line)}}`)) break;
      appended++;
    }
    if (appended < block.count) Atomics.add(this.missed, 0, block.count - appended);
  }
}

/** One after the other: where the ring is full the rest is not even decoded. */
function* linesIn(block: Block): Generator<string> {
  if (block.records !== undefined) for (const record of block.records) yield lineOf(record);
  else {
    const { bytes } = block;
    for (let at = 0; at < bytes.length; ) {
      const found = bytes.indexOf(newline, at);
      const end = found === -1 ? bytes.length : found;
      yield textOf(bytes.subarray(at, end));
      at = end + 1;
    }
  }
}

/** All that watch, in the log worker. */
export class Taps {
  private readonly taps = new Map<number, Tap>();
  private readonly announce: () => void;
  private timer: ReturnType<typeof setTimeout> | undefined;

  /** @param announce says to main that there is something in a ring; called at most every 50 ms */
  constructor(announce: () => void) {
    this.announce = announce;
  }

  /** The lane, watched. */
  through(lane: Lane): Lane {
    return new TappedLane(lane, this);
  }

  get isWatched(): boolean {
    return this.taps.size > 0;
  }

  open(id: number, filter: TapFilter, memory: TapMemory): void {
    this.taps.set(id, new Tap(filter, memory));
  }

  close(id: number): void {
    this.taps.delete(id);
  }

  show(block: Block, output: string): void {
    for (const tap of this.taps.values()) tap.show(block, output);
    this.timer ??= setTimeout(() => this.ring(), ringMs);
  }

  private ring(): void {
    this.timer = undefined;
    if (this.isWatched) this.announce();
  }
}

class TappedLane implements Lane {
  private readonly lane: Lane;
  private readonly taps: Taps;

  constructor(lane: Lane, taps: Taps) {
    this.lane = lane;
    this.taps = taps;
  }

  get output(): string {
    return this.lane.output;
  }

  get room(): number {
    return this.lane.room;
  }

  offer(block: Block): void {
    if (this.taps.isWatched) this.taps.show(block, this.lane.output);
    this.lane.offer(block);
  }
}
