/** What the main thread tells about the sidecar: numbers, events, and the scrape made of all threads' numbers. */
import { LoopLag } from "../admin/loop-lag.ts";
import { exposition } from "../admin/metrics.ts";
import { processExposition } from "../admin/process-metrics.ts";
import type { Clock, EventDeclaration, MetricDeclaration } from "../contracts.ts";
import { type Level, spineEvents } from "../events.ts";
import { FdWriter } from "../logs/fd-writer.ts";
import { MetricsRegion, type MetricsSource, spineMetrics } from "../metrics.ts";
import { OwnLog } from "../own-log.ts";
import type { LoopLagOf } from "../traffic-part.ts";
import { version } from "../version.ts";
import { EventLog } from "./event-log.ts";

export interface TelemetryOptions {
  readonly clock: Clock;
  /** Where the own log goes; default 2. */
  readonly logFd?: number;
  /** Default `json`; `text` is for a person in front of a terminal. */
  readonly logFormat?: "json" | "text";
  /** Default `info`. */
  readonly logLevel?: Level;
  /** True throws for undeclared events and metrics: for tests. */
  readonly strict?: boolean;
}

/** What a drop-in declares of its own. */
export interface Declares {
  readonly events?: Record<string, EventDeclaration>;
  readonly metrics?: Record<string, MetricDeclaration>;
}

const stderr = 2;

export class Telemetry {
  readonly metrics: MetricsRegion;
  readonly events: EventLog;
  private readonly ownLog: OwnLog;
  private readonly loopLag: LoopLag;
  private readonly startedAtMs: number;
  private readonly reporting: ReturnType<typeof setInterval>;

  constructor({ clock, logFd, logFormat, logLevel, strict = false }: TelemetryOptions) {
    this.startedAtMs = clock.wall();
    this.metrics = new MetricsRegion(spineMetrics, {
      strict,
      onFull: (metric) => this.events.emit("metric_full", { metric }),
    });
    this.ownLog = new OwnLog(new FdWriter(logFd ?? stderr, clock), {
      dropped: this.metrics.counter("outrigger_log_lines_dropped_total"),
      onDropped: (count) => this.events.emit("log_lines_dropped", { count }),
    });
    const how = { clock, strict, format: logFormat ?? "json", level: logLevel ?? "info" } as const;
    this.events = new EventLog({ sink: this.ownLog.write, metrics: this.metrics, ...how }, spineEvents);
    this.metrics.gauge("outrigger_build_info", { version }).set(1);
    this.loopLag = new LoopLag(clock);
    this.reporting = setInterval(() => this.events.reportSuppressed(), 1000);
    this.reporting.unref();
  }

  /** Takes in the events and metrics of a drop-in, before it is created. */
  declare({ events, metrics }: Declares): void {
    if (events !== undefined) this.events.declare(events);
    if (metrics !== undefined) this.metrics.declare(metrics);
  }

  /** Takes a line of another thread for the own log, newline included. */
  readonly writeLine = (line: string): void => this.ownLog.write(line);

  /** The text of a scrape: this thread's numbers and those of the others. */
  scrape(others: readonly MetricsSource[], lags: readonly LoopLagOf[]): string {
    for (const { thread, seconds } of [{ thread: "main", seconds: this.loopLag.take() }, ...lags])
      this.metrics.gauge("outrigger_event_loop_lag_seconds", { thread }).set(seconds);
    return exposition(this.metrics.declarations(), [this.metrics, ...others]) + processExposition(this.startedAtMs);
  }

  /** Writes the last lines, blocking up to `deadlineMs`. */
  close(deadlineMs: number): void {
    clearInterval(this.reporting);
    this.loopLag.stop();
    this.events.reportSuppressed();
    this.ownLog.close(deadlineMs);
  }
}
