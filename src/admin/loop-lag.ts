import type { Clock } from "../contracts.ts";

/** How late the event loop runs its timers: the worst delay seen since the scrape before. */
export class LoopLag {
  private readonly clock: Clock;
  private readonly everyMs: number;
  private due: number;
  private worstMs = 0;
  private readonly timer: ReturnType<typeof setInterval>;

  constructor(clock: Clock, everyMs = 1000) {
    this.clock = clock;
    this.everyMs = everyMs;
    this.due = clock.now() + everyMs;
    this.timer = setInterval(() => this.tick(), everyMs);
    this.timer.unref();
  }

  /** Seconds; starts a new observation. */
  take(): number {
    const seconds = this.worstMs / 1000;
    this.worstMs = 0;
    return seconds;
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private tick(): void {
    const now = this.clock.now();
    this.worstMs = Math.max(this.worstMs, now - this.due);
    this.due = now + this.everyMs;
  }
}
