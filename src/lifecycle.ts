/**
 * From start to stop, with one clock.
 *
 *   starting -> ready -> announcing -> draining -> stopping -> stopped
 *
 *   announcing  up to min(5 s, a quarter of the grace): /ready says no, answers carry `Connection: close`, everything is
 *               still accepted and answered, so that whoever sends us traffic can learn that we leave. Ends early when
 *               the app is gone.
 *   draining    until nothing runs any more and the app needs us no longer, at most until the last 2 s of the grace;
 *               still accepting and answering
 *   stopping    listeners close, what is left is cut and counted, the log worker writes what it has
 *
 * The clock starts with the first we hear of the end: an announcement (`GET /drain`, a preStop hook) where one came
 * before the request to stop. Kubernetes counts the pod's grace from there, too, and a native sidecar gets its SIGTERM
 * only when the app has ended, which may have taken most of it.
 *
 * A second request to stop skips to stopping, and leaves half a second for it. Without a stop, an announcement ends by
 * itself.
 */
import type { Emit } from "./contracts.ts";
import type { Timing } from "./schedules/clock.ts";

export type State = "starting" | "ready" | "announcing" | "draining" | "stopping" | "stopped";

/** What the lifecycle makes the sidecar's parts do. */
export interface Leaving {
  /** The whole time from the first sign of the end to the last moment. */
  graceMs(): number;
  announce(): void;
  /** Takes an announcement back. */
  recant(): void;
  /** Begins no work of our own any more: schedules, reloads. */
  quiesce(): void;
  /** True when nobody is there to whom leaving would have to be announced. */
  isUnneeded(): boolean;
  /** Exchanges that run now. */
  running(): number;
  /** Resolves when nothing runs any more, or after `deadlineMs`. */
  settle(deadlineMs: number): Promise<void>;
  /** Stops everything, in reverse order; what takes longer than `deadlineMs` is cut. */
  stop(deadlineMs: number): Promise<void>;
  /** A stop that is under way has no longer than `deadlineMs` from now. */
  hurry(deadlineMs: number): void;
}

const longestAnnouncingMs = 5000;
/** Kept for stopping. */
const longestStoppingMs = 2000;
/** Kubernetes gives a container 2 s from SIGTERM to SIGKILL, even when the pod's grace is over by then. */
const leastMs = 1500;
/** What stopping may take when somebody is in a hurry. */
const hurriedStoppingMs = 500;
const lookEveryMs = 100;
/** How much later than told waiting may end by itself before it is given up. */
const settleLateMs = 200;
/** A pod is over so long after our grace: what was announced before that was not the end that comes now. */
const longestAfterGraceMs = 7000;

/** `GET /drain` was asked, and nobody stopped us so far. */
interface Announcement {
  /** Monotonic, as all times here. */
  readonly since: number;
  readonly until: number;
  cancel(): void;
}

export class Lifecycle {
  private readonly leaving: Leaving;
  private readonly timing: Timing;
  private readonly emit: Emit;
  private current: State = "starting";
  private announcement: Announcement | undefined;
  private ending: Promise<void> | undefined;
  private readonly hurry = Promise.withResolvers<void>();
  private isHurried = false;

  constructor(leaving: Leaving, timing: Timing, emit: Emit) {
    this.leaving = leaving;
    this.timing = timing;
    this.emit = emit;
  }

  get state(): State {
    return this.current;
  }

  /** Everything is bound and runs. */
  started(): void {
    if (this.current === "starting") this.current = "ready";
  }

  /** Why `/ready` must say no, if it must. */
  get unreadyReason(): string | undefined {
    if (this.announcement !== undefined && this.current === "ready") return "announcing that it leaves";
    return this.current === "ready" ? undefined : this.current;
  }

  /**
   * Announces for a while; asking again may prolong it and never shortens it. Does nothing once a stop was requested.
   * Returns the milliseconds until it ends by itself.
   */
  announceFor(leaseMs: number): number {
    if (this.ending !== undefined) return leaseMs;
    const before = this.announcement;
    if (before === undefined) {
      this.leaving.announce();
      this.emit("announcing", { reason: "/drain" });
    }
    before?.cancel();
    const now = this.timing.clock.now();
    const until = Math.max(now + leaseMs, before?.until ?? 0);
    const cancel = this.timing.after(until - now, () => this.endLease());
    this.announcement = { since: this.firstSign(now), until, cancel };
    return until - now;
  }

  /** Stops within the grace; asked again, at once. Resolves when everything is stopped. */
  drain(reason: string, { announces = true }: { announces?: boolean } = {}): Promise<void> {
    if (this.ending === undefined) this.ending = this.end(reason, announces);
    else if (!this.isHurried && this.current !== "stopped") {
      this.isHurried = true;
      this.emit("hurried", { reason });
      this.hurry.resolve();
      if (this.current === "stopping") this.leaving.hurry(hurriedStoppingMs);
    }
    return this.ending;
  }

  /** When the end that comes now was announced; now, where it was not. */
  private firstSign(now: number): number {
    const { since = now } = this.announcement ?? {};
    return now - since > this.leaving.graceMs() + longestAfterGraceMs ? now : since;
  }

  private endLease(): void {
    this.announcement = undefined;
    this.leaving.recant();
    this.emit("announcement_withdrawn");
  }

  private async end(reason: string, announces: boolean): Promise<void> {
    const now = this.timing.clock.now();
    const graceMs = this.leaving.graceMs();
    const startedAt = this.firstSign(now);
    const endAt = Math.max(startedAt + graceMs, now + Math.min(leastMs, graceMs));
    this.announcement?.cancel();
    this.leaving.quiesce();
    this.announce(reason);
    if (announces) await this.announced(startedAt + Math.min(longestAnnouncingMs, graceMs / 4));
    await this.settled(endAt - Math.min(longestStoppingMs, graceMs / 4));
    this.current = "stopping";
    await this.stopped(endAt);
    this.current = "stopped";
  }

  private announce(reason: string): void {
    this.current = "announcing";
    if (this.announcement === undefined) this.leaving.announce();
    this.emit("announcing", { reason });
  }

  private async announced(until: number): Promise<void> {
    while (!this.isHurried && this.timing.clock.now() < until && !this.leaving.isUnneeded()) {
      await Promise.race([this.sleep(Math.min(lookEveryMs, until - this.timing.clock.now())), this.hurry.promise]);
    }
  }

  private async settled(until: number): Promise<void> {
    if (this.isHurried) return;
    this.current = "draining";
    const remainingMs = Math.max(0, Math.round(until - this.timing.clock.now()));
    this.emit("draining", { exchanges: this.leaving.running(), remainingMs });
    const late = Promise.withResolvers<void>();
    const cancel = this.timing.after(remainingMs + settleLateMs, late.resolve);
    try {
      await Promise.race([this.leaving.settle(remainingMs), this.hurry.promise, late.promise]);
    } catch (error) {
      // Whatever went wrong in waiting must not keep us from stopping.
      this.emit("unexpected_error", { origin: "draining", error });
    }
    cancel();
  }

  private async stopped(endAt: number): Promise<void> {
    const remainingMs = endAt - this.timing.clock.now();
    await this.leaving.stop(this.isHurried ? Math.min(hurriedStoppingMs, remainingMs) : remainingMs);
  }

  private sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.timing.after(delayMs, resolve));
  }
}
