import type { Clock } from "../../src/contracts.ts";

interface Wake {
  at: number;
  run(): void;
}

/** Time that passes when the test says so; timers run in order, each at its own moment. */
export class FakeTime {
  random: () => number = () => 0;
  private nowMs = 0;
  private wallOffset: number;
  private wakes: Wake[] = [];
  readonly clock: Clock = { now: () => this.nowMs, wall: () => this.nowMs + this.wallOffset };

  constructor(wallMs: number) {
    this.wallOffset = wallMs;
  }

  /** How many timers are set. */
  get waiting(): number {
    return this.wakes.length;
  }

  readonly after = (delayMs: number, run: () => void): (() => void) => {
    const wake = { at: this.nowMs + delayMs, run };
    this.wakes.push(wake);
    return () => this.drop(wake);
  };

  pass(ms: number): void {
    const end = this.nowMs + ms;
    for (let next = this.earliest(end); next !== undefined; next = this.earliest(end)) {
      this.nowMs = Math.max(this.nowMs, next.at);
      this.drop(next);
      next.run();
    }
    this.nowMs = end;
  }

  /** The process did not run for a while: what was due runs now. */
  jump(ms: number): void {
    this.nowMs += ms;
    this.pass(0);
  }

  setWall(wallMs: number): void {
    this.wallOffset = wallMs - this.nowMs;
  }

  private earliest(end: number): Wake | undefined {
    return this.wakes.filter((wake) => wake.at <= end).sort((a, b) => a.at - b.at)[0];
  }

  private drop(wake: Wake): void {
    this.wakes = this.wakes.filter((other) => other !== wake);
  }
}
