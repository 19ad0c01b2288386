/** The time of lines that say nothing about theirs: when their batch was first encoded, and one nanosecond more each. */

/** Nanoseconds since the epoch in two numbers, as one would not be exact. */
export class Stamps {
  seconds = 0;
  nanos = 0;

  /** Begins a batch. Never goes back behind what was given out, so that lines keep their order through clock steps. */
  begin(wallMs: number): void {
    const seconds = Math.floor(wallMs / 1000);
    const nanos = Math.floor((wallMs - seconds * 1000) * 1e6);
    if (seconds < this.seconds || (seconds === this.seconds && nanos <= this.nanos)) return;
    this.seconds = seconds;
    this.nanos = nanos;
  }

  /** Goes on to the next line. */
  next(): void {
    if (++this.nanos < 1e9) return;
    this.nanos = 0;
    this.seconds++;
  }

  get nanoseconds(): bigint {
    return BigInt(this.seconds) * 1_000_000_000n + BigInt(this.nanos);
  }
}
