/** Main's side of a tap: the lines that pass in the log worker, for one who watches. */
import { missedText } from "./missed.ts";
import { RecordRing } from "./record-ring.ts";
import type { TapFilter, TapMemory } from "./tap.ts";

/** Lines as they come, whole ones. */
export interface LogTail {
  /** The next of them; waits for some. Undefined once the tail was closed. */
  next(): Promise<Uint8Array | undefined>;
  close(): void;
}

/** What one watcher may be behind before it misses lines. A power of two. */
const ringBytes = 512 * 1024;

export class Tail implements LogTail {
  readonly filter: TapFilter;
  readonly memory: TapMemory;
  private readonly ring: RecordRing;
  private readonly missed: Int32Array;
  private readonly closed: () => void;
  private isOpen = true;
  private arrival = Promise.withResolvers<void>();

  /** @param closed called once, when nobody watches any more */
  constructor(filter: TapFilter, closed: () => void) {
    const ring = RecordRing.allocate(ringBytes);
    const missed = new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
    this.filter = filter;
    this.memory = { ring, missed };
    this.ring = new RecordRing(ring);
    this.missed = new Int32Array(missed);
    this.closed = closed;
  }

  async next(): Promise<Uint8Array | undefined> {
    for (;;) {
      if (!this.isOpen) return undefined;
      const lines = this.ring.take() ?? this.notice();
      if (lines !== undefined) return lines;
      await this.arrival.promise;
      this.arrival = Promise.withResolvers();
    }
  }

  /** Something may be in the ring. */
  wake(): void {
    this.arrival.resolve();
  }

  close(): void {
    if (!this.isOpen) return;
    this.isOpen = false;
    this.wake();
    this.closed();
  }

  /** What was missed is said behind what came before it. */
  private notice(): Uint8Array | undefined {
    const count = Atomics.exchange(this.missed, 0, 0);
    if (count === 0) return undefined;
    const text = this.filter.format === "json" ? JSON.stringify({ missedLines: count }) : missedText(count);
    return new TextEncoder().encode(`${text}\n`);
  }
}
