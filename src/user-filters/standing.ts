/**
 * Where a filter stands after its faults. Twenty in a row of one hook within a minute stop it: requests that begin
 * from then on are answered 503 (`onError: fail`) or go on without it (`skip`), until its file or its options change.
 * In a row, so that a filter that is right for most requests is not stopped by those it is wrong for.
 */
import type { Emit, Gauge } from "../contracts.ts";

/** Faults in a row that stop a filter. */
export const mostFaults = 20;
/** Faults further apart than that do not belong to one row. */
export const rowMs = 60_000;

/** What one filter did wrong, seen from one hook. */
export class Row {
  private count = 0;
  private startedMs = 0;

  /** A call went well. */
  end(): void {
    if (this.count !== 0) this.count = 0;
  }

  /** Counts a fault; true when it was one too many. */
  add(nowMs: number): boolean {
    if (this.count === 0 || nowMs - this.startedMs > rowMs) {
      this.count = 0;
      this.startedMs = nowMs;
    }
    return ++this.count >= mostFaults;
  }
}

export interface StandingOptions {
  readonly filter: string;
  readonly listener: string;
  readonly onError: "fail" | "skip";
  /** Number of its version. */
  readonly version: number;
  /** What it is: its version and its options. The same filter keeps its standing over reloads. */
  readonly identity: string;
  readonly emit: Emit;
  readonly gauge: Gauge;
}

export class Standing {
  /** Exchanges that began at this time or later do not meet the filter any more; Infinity while it runs. */
  stoppedSinceMs = Number.POSITIVE_INFINITY;
  private readonly options: StandingOptions;

  constructor(options: StandingOptions) {
    this.options = options;
  }

  get version(): number {
    return this.options.version;
  }

  get isStopped(): boolean {
    return this.stoppedSinceMs !== Number.POSITIVE_INFINITY;
  }

  /** True for the standing of the same filter, unchanged, on the same listener. */
  isOf({ filter, listener, onError, identity }: StandingOptions): boolean {
    const own = this.options;
    const isSamePlace = own.filter === filter && own.listener === listener;
    return isSamePlace && own.onError === onError && own.identity === identity;
  }

  /** Stops it. `why` is a clause: "after 20 faults in a row". */
  stop(nowMs: number, why: string): void {
    if (this.isStopped) return;
    const { filter, listener, onError, emit, gauge } = this.options;
    this.stoppedSinceMs = nowMs;
    gauge.set(1);
    const instead = onError === "fail" ? "its requests are answered 503" : "requests go on without it";
    emit("filter_stopped", { filter, listener, why, instead });
  }

  /** Its configuration runs now, or not any more. */
  show(isConfigured: boolean): void {
    this.options.gauge.set(isConfigured && this.isStopped ? 1 : 0);
  }
}
