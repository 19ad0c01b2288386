/**
 * What the watchdog sees of a thread that runs users' filters, in shared memory: that it turns, and whose code it is in.
 *
 *   beat      grows while the loop turns
 *   current   number of the version whose code runs right now, 0 for none
 *   pending   number of the version whose promises are awaited, 0 for none, -1 for several
 *   stalled   written by the watchdog: number of a version that made the thread stand still, when it turns again
 *
 * Two plain stores a call: the watchdog looks a few times a second, so it needs no order between them.
 */

export const cell = { beat: 0, current: 1, pending: 2, stalled: 3 } as const;
const cellCount = 4;

const beatMs = 100;

/** Memory for the pulse of one thread. */
export function allocateFilterPulse(): SharedArrayBuffer {
  return new SharedArrayBuffer(cellCount * Int32Array.BYTES_PER_ELEMENT);
}

/** One per thread: the thread is what stands still. */
class Pulse {
  memory = allocateFilterPulse();
  cells = new Int32Array(this.memory);
  /** Called when the thread turns again after a version made it stand still. */
  stalled: (version: number) => void = () => {};
  private awaited = 0;
  private timer: ReturnType<typeof setInterval> | undefined;

  /** Uses memory that another thread looks at. Before any filter is made. */
  attach(memory: SharedArrayBuffer): void {
    this.memory = memory;
    this.cells = new Int32Array(memory);
  }

  /** From now on it shows that this thread turns; a thread that never showed it is not watched. */
  start(): void {
    if (this.timer !== undefined) return;
    this.beat();
    this.timer = setInterval(() => this.beat(), beatMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
  }

  /** Code of that version begins to run, as rarely as a filter is made; `leave` says that it ended. */
  enter(version: number): void {
    this.cells[cell.current] = version;
  }

  leave(): void {
    this.cells[cell.current] = 0;
  }

  /** A promise of that version is awaited from now on. */
  await(version: number): void {
    const { cells } = this;
    if (this.awaited++ === 0) cells[cell.pending] = version;
    else if (cells[cell.pending] !== version) cells[cell.pending] = -1;
  }

  settled(): void {
    if (--this.awaited === 0) this.cells[cell.pending] = 0;
  }

  private beat(): void {
    const { cells } = this;
    cells[cell.beat] = (cells[cell.beat]! + 1) | 0;
    const version = cells[cell.stalled]!;
    if (version === 0) return;
    cells[cell.stalled] = 0;
    this.stalled(version);
  }
}

export const pulse = new Pulse();

const numbers = new Map<string, number>();

/** The number of a version in this process, from 1; given by the thread that reads the configuration. */
export function numberOf(hash: string): number {
  const known = numbers.get(hash);
  if (known !== undefined) return known;
  numbers.set(hash, numbers.size + 1);
  return numbers.size;
}
