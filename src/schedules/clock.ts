/**
 * When a schedule's ticks come.
 *
 *   interval   start --every--> tick --every--> tick        on a grid, monotonic: no drift, late ticks are not made up
 *   cron       the wall clock, looked at once a minute at least, so that a clock that is set right is noticed
 */
import type { Clock } from "../contracts.ts";

/** What a schedule needs of the outside: time, randomness, and a way to be woken. */
export interface Timing {
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Calls `run` once, `delayMs` from now; the function returned prevents it. */
  after(delayMs: number, run: () => void): () => void;
}

/** As the config has it. */
export type When = { readonly everyMs: number } | { readonly cron: string };

/** The next tick of a series. */
export interface Due {
  /** Milliseconds from now to the next tick: 0 or less when it is due, Infinity when none will ever come. */
  remainingMs(): number;
  /** The tick has come: goes on to the next one that lies in the future. */
  advance(): void;
}

/** Longest sleep without a look at the clock; also far below the 2^31 ms at which timers wrap. */
const longestSleepMs = 60_000;

/** A wall clock that stepped back by more than this is believed; less is a timer that fired early. */
const believedStepMs = 60_000;

/** The series of ticks of a schedule. @throws an Error with croner's words for an expression it cannot read */
export async function dueOf(when: When, clock: Clock): Promise<Due> {
  if ("everyMs" in when) return new IntervalDue(when.everyMs, clock);
  const { Cron } = await import("croner");
  const cron = new Cron(when.cron, { paused: true, mode: "5-or-6-parts" });
  return new CronDue((afterMs) => cron.nextRun(new Date(afterMs))?.getTime(), clock);
}

class IntervalDue implements Due {
  private readonly everyMs: number;
  private readonly clock: Clock;
  private at: number;

  constructor(everyMs: number, clock: Clock) {
    this.everyMs = everyMs;
    this.clock = clock;
    this.at = clock.now() + everyMs;
  }

  remainingMs(): number {
    return this.at - this.clock.now();
  }

  advance(): void {
    const missed = Math.floor((this.clock.now() - this.at) / this.everyMs);
    this.at += this.everyMs * Math.max(1, missed + 1);
  }
}

class CronDue implements Due {
  private readonly nextAfter: (wallMs: number) => number | undefined;
  private readonly clock: Clock;
  /** Wall time up to which all ticks have come. */
  private seenUntil: number;
  private at: number | undefined;

  constructor(nextAfter: (wallMs: number) => number | undefined, clock: Clock) {
    this.nextAfter = nextAfter;
    this.clock = clock;
    this.seenUntil = clock.wall();
    this.at = nextAfter(this.seenUntil);
  }

  remainingMs(): number {
    const now = this.clock.wall();
    if (now < this.seenUntil - believedStepMs) this.goOnFrom(now);
    return this.at === undefined ? Number.POSITIVE_INFINITY : this.at - now;
  }

  advance(): void {
    this.goOnFrom(Math.max(this.clock.wall(), this.at ?? 0));
  }

  private goOnFrom(wallMs: number): void {
    this.seenUntil = wallMs;
    this.at = this.nextAfter(wallMs);
  }
}

/** Calls `tick` at each due time and up to `jitterMs` later, until it is stopped. */
export class Ticker {
  private readonly due: Due;
  private readonly jitterMs: number;
  private readonly timing: Timing;
  private readonly tick: () => void;
  private extraMs = 0;
  private cancel: (() => void) | undefined;

  constructor(due: Due, jitterMs: number, timing: Timing, tick: () => void) {
    this.due = due;
    this.jitterMs = jitterMs;
    this.timing = timing;
    this.tick = tick;
  }

  start(): void {
    this.extraMs = this.timing.random() * this.jitterMs;
    this.sleep();
  }

  stop(): void {
    this.cancel?.();
    this.cancel = undefined;
  }

  private sleep(): void {
    const remainingMs = this.due.remainingMs() + this.extraMs;
    if (remainingMs <= 0) this.ring();
    else if (remainingMs < Number.POSITIVE_INFINITY) {
      this.cancel = this.timing.after(Math.min(remainingMs, longestSleepMs), () => this.sleep());
    }
  }

  /** Goes on first: whatever the tick does, the next one is set. */
  private ring(): void {
    this.due.advance();
    this.start();
    this.tick();
  }
}
