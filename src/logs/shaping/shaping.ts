/**
 * A chain of transforms between an input and its outputs: for each output and source, what waits for more lines, and
 * when it has waited long enough.
 */
import type { Block, Clock, Lane, LogSource } from "../../contracts.ts";
import type { Chain, Waiting } from "./chain.ts";

/** What waits of a source is complete after this time, even where more of it could not be read meanwhile. */
const longestQuietMs = 5_000;

export class Shaping {
  private readonly chain: Chain;
  private readonly clock: Clock;
  private readonly shaped: ShapedLane[] = [];

  constructor(chain: Chain, clock: Clock) {
    this.chain = chain;
    this.clock = clock;
  }

  /** The way to an output, through the chain. */
  lane(to: Lane): Lane {
    const lane = new ShapedLane(to, this.chain, this.clock);
    this.shaped.push(lane);
    return lane;
  }

  /** Hands on what has waited long enough. Returns the milliseconds until the next look. */
  turn(): number {
    this.chain.forget();
    return Math.min(...this.shaped.map((lane) => lane.turn()));
  }

  /** Hands on all that waits: no more lines will come. */
  finish(): void {
    this.chain.forget();
    for (const lane of this.shaped) lane.flush();
    this.chain.forget();
  }
}

/** What waits of one source on the way to one output. */
interface Pause {
  readonly waiting: Waiting;
  /** Monotonic time of the last line, or of the last look at which more of them could not come. */
  since: number;
  readonly began: number;
}

class ShapedLane implements Lane {
  private readonly to: Lane;
  private readonly chain: Chain;
  private readonly clock: Clock;
  private readonly pauses = new Map<LogSource, Pause>();

  constructor(to: Lane, chain: Chain, clock: Clock) {
    this.to = to;
    this.chain = chain;
    this.clock = clock;
  }

  get output(): string {
    return this.to.output;
  }

  get room(): number {
    return this.to.room;
  }

  offer(block: Block): void {
    const { source } = block;
    const before = this.pauses.get(source);
    if (before === undefined) this.flushEnded(source);
    const { block: made, waiting } = this.chain.pass(block, before?.waiting);
    this.to.offer(made);
    this.pause(source, waiting);
  }

  turn(): number {
    let dueMs = Number.POSITIVE_INFINITY;
    const now = this.clock.now();
    for (const [source, pause] of this.pauses) dueMs = Math.min(dueMs, this.look(source, pause, now));
    return dueMs;
  }

  /** Hands on what waits of every source. */
  flush(): void {
    for (const source of [...this.pauses.keys()]) this.end(source);
  }

  /** Hands on what waits of a source if that is complete; else returns the milliseconds until it may be. */
  private look(source: LogSource, pause: Pause, now: number): number {
    const quietMs = this.chain.quietMs(pause.waiting);
    const isHeldUp = this.room <= 0 || unreadOf(source, this.output) > 0;
    if (isHeldUp && (this.room <= 0 || now - pause.began < quietMs + longestQuietMs)) pause.since = now;
    const leftMs = pause.since + quietMs - now;
    if (leftMs > 0) return leftMs;
    this.end(source, now - pause.since);
    return 0;
  }

  private end(source: LogSource, quietMs?: number): void {
    const pause = this.pauses.get(source);
    if (pause === undefined) return;
    const { block, waiting } = this.chain.flush(source, pause.waiting, quietMs);
    this.to.offer(block);
    this.pause(source, waiting);
  }

  /** The first lines of another file: what waits of those that were rotated away comes before them. */
  private flushEnded(next: LogSource): void {
    for (const source of [...this.pauses.keys()]) {
      if (source !== next && source.isFinal === true && unreadOf(source, this.output) === 0) this.end(source);
    }
  }

  private pause(source: LogSource, waiting: Waiting | undefined): void {
    const now = this.clock.now();
    if (waiting === undefined) this.pauses.delete(source);
    else this.pauses.set(source, { waiting, since: now, began: now });
  }
}

function unreadOf(source: LogSource, output: string): number {
  return source.unreadFor?.(output) ?? 0;
}
