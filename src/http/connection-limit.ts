/**
 * Open connections against their limit, counted over all threads that carry traffic: the kernel spreads connections by
 * chance, so that a share for each thread would refuse some while others have room. Taken and given once a connection.
 *
 *   cells  | open | refused and not yet gone |
 */
const openCell = 0;
const refusedCell = 1;
const cellCount = 2;

/** Refused clients that may take their answer at once: in a flood they would use up the descriptors kept for other uses. */
const mostRefused = 64;

export class ConnectionLimit {
  /** Connections at once. */
  readonly most: number;
  private readonly cells: Int32Array;

  /** `memory` comes from `ConnectionLimit.allocate` when other threads count in it, too. */
  constructor(most: number, memory: SharedArrayBuffer = ConnectionLimit.allocate()) {
    this.most = most;
    this.cells = new Int32Array(memory);
  }

  static allocate(): SharedArrayBuffer {
    return new SharedArrayBuffer(cellCount * Int32Array.BYTES_PER_ELEMENT);
  }

  /** Connections that are open, of all threads. */
  get open(): number {
    return Atomics.load(this.cells, openCell);
  }

  /** Takes a place; false when there is none. */
  take(): boolean {
    return this.takeOf(openCell, this.most);
  }

  give(count = 1): void {
    Atomics.sub(this.cells, openCell, count);
  }

  /** Takes a place among the refused who are still told why; false when there are too many. */
  takeRefused(): boolean {
    return this.takeOf(refusedCell, mostRefused);
  }

  giveRefused(): void {
    Atomics.sub(this.cells, refusedCell, 1);
  }

  /** Counts first and looks then: two threads cannot both have the last place. */
  private takeOf(cell: number, most: number): boolean {
    if (Atomics.add(this.cells, cell, 1) < most) return true;
    Atomics.sub(this.cells, cell, 1);
    return false;
  }
}
