/** When the bytes were read that are not acknowledged yet: how long the oldest of them waits, to about a second. */
const resolutionMs = 1_000;
/** With more, every second one is forgotten: who waits for long is known less exactly. */
const mostTimes = 32;

interface ReadTime {
  /** Offset of the first byte read then. */
  readonly from: number;
  readonly atMs: number;
}

const none: readonly ReadTime[] = [];

export class ReadTimes {
  private times: readonly ReadTime[] = none;

  /** Bytes from an offset on were read now. Offsets and times grow. */
  note(from: number, atMs: number): void {
    const last = this.times.at(-1);
    if (last !== undefined && atMs - last.atMs < resolutionMs) return;
    const times = [...this.times, { from, atMs }];
    this.times = times.length > mostTimes ? times.filter((_, at) => at % 2 === 0) : times;
  }

  /** Everything before an offset is acknowledged; `read` is where reading is. */
  settle(to: number, read: number): void {
    if (to >= read) this.times = none;
    else if ((this.times[1]?.from ?? Number.POSITIVE_INFINITY) <= to) {
      const first = this.times.findLastIndex(({ from }) => from <= to);
      this.times = this.times.slice(first);
    }
  }

  /** When the oldest was read; undefined when nothing waits. */
  get oldestMs(): number | undefined {
    return this.times[0]?.atMs;
  }
}
