/**
 * What a thread that carries traffic tells: its own numbers, its events as finished lines in a ring that main writes
 * out, and how late its loop runs. Lines that were in the ring when the thread died are still written.
 */
import { LoopLag } from "../admin/loop-lag.ts";
import type { Clock, Emit } from "../contracts.ts";
import { spineEvents } from "../events.ts";
import type { RecordRing } from "../logs/record-ring.ts";
import { MetricsRegion, type Series, spineMetrics } from "../metrics.ts";
import { EventLog } from "../telemetry/event-log.ts";
import type { Declares } from "../telemetry/telemetry.ts";
import type { LogManner } from "./messages.ts";
import { beatEveryMs, type Pulse } from "./pulse.ts";

export interface WorkerTelemetryOptions {
  readonly clock: Clock;
  readonly log: LogManner;
  readonly lines: RecordRing;
  readonly pulse: Pulse;
  onSeries(series: Series): void;
  /** So many bytes were appended to `lines`. */
  onLine(bytes: number): void;
}

export class WorkerTelemetry {
  readonly metrics: MetricsRegion;
  readonly emit: Emit;
  private readonly options: WorkerTelemetryOptions;
  private readonly events: EventLog;
  private readonly loopLag: LoopLag;
  private readonly beating: ReturnType<typeof setInterval>;
  private unreported = 0;

  constructor(options: WorkerTelemetryOptions) {
    const { clock, log } = options;
    this.options = options;
    this.metrics = new MetricsRegion(spineMetrics, {
      strict: log.strict,
      onSeries: options.onSeries,
      onFull: (metric) => this.emit("metric_full", { metric }),
    });
    this.events = new EventLog({ sink: this.write, metrics: this.metrics, clock, ...log }, spineEvents);
    this.emit = this.events.emit;
    this.loopLag = new LoopLag(clock, beatEveryMs);
    this.beating = setInterval(() => this.beat(), beatEveryMs);
  }

  /** Takes in the events and metrics of a drop-in, before it is created. */
  declare({ events, metrics }: Declares): void {
    if (events !== undefined) this.events.declare(events);
    if (metrics !== undefined) this.metrics.declare(metrics);
  }

  /** The last lines go into the ring. */
  close(): void {
    clearInterval(this.beating);
    this.loopLag.stop();
    this.events.reportSuppressed();
  }

  private beat(): void {
    this.options.pulse.beat(this.loopLag.take());
    this.events.reportSuppressed();
  }

  /** One line with its newline, which the ring adds itself. */
  private readonly write = (line: string): void => {
    const { lines, onLine } = this.options;
    if (!lines.append(line.slice(0, -1))) {
      this.metrics.counter("outrigger_log_lines_dropped_total").add(1);
      this.unreported++;
      return;
    }
    onLine(line.length);
    const count = this.unreported;
    if (count === 0) return;
    this.unreported = 0;
    this.emit("log_lines_dropped", { count });
  };
}
