/** The gauges of one entry of `logs:`: how far its outputs are behind, taken about once a second. */
import type { Gauge, LogInput, LogMeasure, Thread } from "../../contracts.ts";

/** What one output is behind with, over all files. */
interface Behind {
  unreadBytes: number;
  unacknowledgedBytes: number;
  oldestMs: number;
  readonly unread: Gauge;
  readonly unacknowledged: Gauge;
  readonly lag: Gauge;
}

interface Counted {
  files: number;
  readonly gauge: Gauge;
}

export class Backlog implements LogMeasure {
  private readonly input: string;
  private readonly thread: Pick<Thread, "clock" | "metrics">;
  private readonly outputs = new Map<string, Behind>();
  private readonly states = new Map<string, Counted>();

  constructor(input: string, thread: Pick<Thread, "clock" | "metrics">) {
    this.input = input;
    this.thread = thread;
  }

  /** Measures the input anew. Without one, everything is 0: the entry is gone. */
  take(input?: LogInput): void {
    for (const behind of this.outputs.values()) {
      behind.unreadBytes = 0;
      behind.unacknowledgedBytes = 0;
      behind.oldestMs = Number.POSITIVE_INFINITY;
    }
    for (const counted of this.states.values()) counted.files = 0;
    input?.measure?.(this);
    const now = this.thread.clock.now();
    for (const { unread, unacknowledged, lag, ...behind } of this.outputs.values()) {
      unread.set(behind.unreadBytes);
      unacknowledged.set(behind.unacknowledgedBytes);
      lag.set(Math.max(0, now - Math.min(now, behind.oldestMs)) / 1000);
    }
    for (const { gauge, files } of this.states.values()) gauge.set(files);
  }

  file(state: string): void {
    let counted = this.states.get(state);
    if (counted === undefined) {
      const labels = { input: this.input, state };
      counted = { files: 0, gauge: this.thread.metrics.gauge("outrigger_log_files", labels) };
      this.states.set(state, counted);
    }
    counted.files++;
  }

  behind(output: string, unreadBytes: number, unacknowledgedBytes: number, oldestMs: number | undefined): void {
    const behind = this.outputs.get(output) ?? this.add(output);
    behind.unreadBytes += unreadBytes;
    behind.unacknowledgedBytes += unacknowledgedBytes;
    if (oldestMs !== undefined) behind.oldestMs = Math.min(behind.oldestMs, oldestMs);
  }

  private add(output: string): Behind {
    const { metrics } = this.thread;
    const labels = { input: this.input, output };
    const behind = {
      unreadBytes: 0,
      unacknowledgedBytes: 0,
      oldestMs: Number.POSITIVE_INFINITY,
      unread: metrics.gauge("outrigger_log_unread_bytes", labels),
      unacknowledged: metrics.gauge("outrigger_log_unacknowledged_bytes", labels),
      lag: metrics.gauge("outrigger_log_lag_seconds", labels),
    };
    this.outputs.set(output, behind);
    return behind;
  }
}

/** The backlogs of all entries. */
export class Backlogs {
  private readonly thread: Pick<Thread, "clock" | "metrics">;
  private readonly byInput = new Map<string, Backlog>();
  private nextMs = Number.NEGATIVE_INFINITY;

  constructor(thread: Pick<Thread, "clock" | "metrics">) {
    this.thread = thread;
  }

  /** Measures when the last time was long enough ago. */
  takeIfDue(routes: readonly { readonly name: string; readonly input: LogInput }[]): void {
    const now = this.thread.clock.now();
    if (now < this.nextMs) return;
    this.nextMs = now + intervalMs;
    for (const { name, input } of routes) this.of(name).take(input);
    if (this.byInput.size > routes.length) this.forget(new Set(routes.map(({ name }) => name)));
  }

  private of(name: string): Backlog {
    const backlog = this.byInput.get(name) ?? new Backlog(name, this.thread);
    this.byInput.set(name, backlog);
    return backlog;
  }

  private forget(names: ReadonlySet<string>): void {
    for (const [name, backlog] of this.byInput) {
      if (names.has(name)) continue;
      backlog.take();
      this.byInput.delete(name);
    }
  }
}

const intervalMs = 1_000;
