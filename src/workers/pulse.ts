/**
 * What a thread that carries traffic and main tell each other without a message: numbers in shared memory.
 *
 *   cells  | beats | worst lag | exchanges | readings |     all but the last written by the worker, the last by main
 *
 * A thread that is stuck cannot say so; its beats stop, and that main sees.
 */
import type { Clock } from "../contracts.ts";

const beats = 0;
const worstLag = 1;
const exchanges = 2;
const readings = 3;
const cellCount = 4;

export const beatEveryMs = 1000;

export function allocatePulse(): SharedArrayBuffer {
  return new SharedArrayBuffer(cellCount * Float64Array.BYTES_PER_ELEMENT);
}

/** The worker's side. */
export class Pulse {
  private readonly cells: Float64Array;
  private readingsSeen = 0;

  constructor(memory: SharedArrayBuffer) {
    this.cells = new Float64Array(memory);
  }

  /** How many exchanges run now. */
  tellExchanges(count: number): void {
    this.cells[exchanges] = count;
  }

  /** To be called every `beatEveryMs`; the lag is the worst since it was called last, in seconds. */
  beat(lagSeconds: number): void {
    const wasRead = this.cells[readings] !== this.readingsSeen;
    this.readingsSeen = this.cells[readings]!;
    this.cells[worstLag] = wasRead ? lagSeconds : Math.max(this.cells[worstLag]!, lagSeconds);
    this.cells[beats]! += 1;
  }
}

/** Main's side. */
export class PulseReader {
  private readonly cells: Float64Array;
  private readonly clock: Clock;
  private beatsSeen = 0;
  private seenAt: number;

  constructor(memory: SharedArrayBuffer, clock: Clock) {
    this.cells = new Float64Array(memory);
    this.clock = clock;
    this.seenAt = clock.now();
  }

  get exchanges(): number {
    return this.cells[exchanges]!;
  }

  /** Seconds: the worst lag since it was taken last, or for how long the thread has been stuck. `look` must be called now and then. */
  takeLag(): number {
    const stuckMs = this.look();
    const lag = Math.max(this.cells[worstLag]!, stuckMs / 1000);
    this.cells[readings]! += 1;
    return lag;
  }

  /** Looks whether the thread is alive. Returns for how long it has certainly been stuck, in milliseconds. */
  look(): number {
    const now = this.clock.now();
    if (this.cells[beats] === this.beatsSeen) return Math.max(0, now - this.seenAt - 2 * beatEveryMs);
    this.beatsSeen = this.cells[beats]!;
    this.seenAt = now;
    return 0;
  }
}
