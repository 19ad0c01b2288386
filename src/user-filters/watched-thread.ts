/** One thread as the watchdog sees it. It counts its own looks, not the clock: a process that was suspended did not stand still. */
import { cell } from "./pulse.ts";

export interface Stall {
  /** Looks without a beat. */
  readonly looks: number;
  /** The version in whose code it stands; else the one whose promises it awaits; 0 for none, -1 for one of several. */
  readonly version: number;
}

export class WatchedThread {
  private readonly cells: Int32Array;
  private beat: number;
  private looks = 0;
  /** The version that was blamed for the stall that goes on. */
  blamed = 0;

  constructor(memory: SharedArrayBuffer) {
    this.cells = new Int32Array(memory);
    this.beat = this.cells[cell.beat]!;
  }

  /** Looks once more; undefined while it turns, or has not shown yet that it does. */
  look(): Stall | undefined {
    const beat = Atomics.load(this.cells, cell.beat);
    if (beat !== this.beat || beat === 0) {
      this.turned(beat);
      return undefined;
    }
    this.looks++;
    const current = Atomics.load(this.cells, cell.current);
    return { looks: this.looks, version: current === 0 ? Atomics.load(this.cells, cell.pending) : current };
  }

  private turned(beat: number): void {
    this.beat = beat;
    this.looks = 0;
    if (this.blamed !== 0) Atomics.store(this.cells, cell.stalled, this.blamed);
    this.blamed = 0;
  }
}
