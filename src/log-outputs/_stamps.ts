/** The time of lines that say nothing about theirs: when their batch was first encoded, and one nanosecond more each. */

/** Nanoseconds since the epoch in numbers, as a single one would not be exact and a bigint a line costs too much. */
export class Stamps {
  seconds = 0;
  nanos = 0;
  /** The same as one number of 64 bits, in halves. */
  low = 0;
  high = 0;

  /** Begins a batch. Never goes back behind what was given out, so that lines keep their order through clock steps. */
  begin(wallMs: number): void {
    const seconds = Math.floor(wallMs / 1000);
    const nanos = Math.floor((wallMs - seconds * 1000) * 1e6);
    if (seconds < this.seconds || (seconds === this.seconds && nanos <= this.nanos)) return;
    this.seconds = seconds;
    this.nanos = nanos;
    const whole = BigInt(seconds) * 1_000_000_000n + BigInt(nanos);
    this.low = Number(whole & 0xffffffffn);
    this.high = Number(whole >> 32n);
  }

  /** Goes on to the next line. */
  next(): void {
    if (++this.nanos === 1e9) {
      this.nanos = 0;
      this.seconds++;
    }
    if (++this.low < 0x100000000) return;
    this.low = 0;
    this.high++;
  }

  /** `1700000000123000000` */
  get text(): string {
    return `${this.seconds}${String(this.nanos).padStart(9, "0")}`;
  }
}
