/**
 * The way of records to the log worker. The worker is started for `logs:` and for schedules that print, and otherwise
 * when the first record comes: a sidecar whose filters write none does not pay for it.
 *
 *   record --> collector runs? --> its ring
 *          --> is being started --> kept, 1 MiB at most --> its ring
 *          --> dropped, counted
 */
import type { Change, ConfiguredPart } from "./config/reload.ts";
import type { Config } from "./config/schema.ts";
import type { RecordStream, Thread } from "./contracts.ts";
import type { MetricsSource } from "./metrics.ts";

/** `Collector` of logs/collector.ts. */
export interface RecordCollector {
  readonly record: Thread["record"];
  reload(logs: Config["logs"]): Promise<void>;
  drain(deadlineMs: number): Promise<{ unreadBytes: number; unsentBytes: number }>;
  stop(): Promise<void>;
  metricsSources(): readonly MetricsSource[];
}

export type StartCollector = (logs: Config["logs"]) => Promise<RecordCollector>;

/** Most characters kept while the collector is being started. */
const keptCharacters = 1024 * 1024;

export class Records implements ConfiguredPart {
  private readonly startCollector: StartCollector;
  private readonly thread: Pick<Thread, "emit" | "metrics">;
  private collector: RecordCollector | undefined;
  private starting: Promise<RecordCollector> | undefined;
  private logs: Config["logs"] = [];
  private early: [RecordStream, string][] = [];
  private earlyCharacters = 0;
  private isStopped = false;

  constructor(startCollector: StartCollector, thread: Pick<Thread, "emit" | "metrics">) {
    this.startCollector = startCollector;
    this.thread = thread;
  }

  /** As `Thread.record`. */
  readonly record = (stream: RecordStream, line: string): boolean => {
    const taken = this.collector === undefined ? this.keepEarly(stream, line) : this.collector.record(stream, line);
    if (!taken) this.thread.metrics.counter("outrigger_records_dropped_total", { stream }).add(1);
    return taken;
  };

  /** The numbers of the log worker. */
  metricsSources(): readonly MetricsSource[] {
    return this.collector?.metricsSources() ?? [];
  }

  /** Starts the collector, or changes what it collects, before anything commits: it is what may fail. */
  async prepare(config: Config): Promise<Change> {
    const before = this.logs;
    await this.collect(config);
    // Nothing to do at commit: what is collected does not depend on the other parts.
    return { commit() {}, abort: () => this.changeTo(before) };
  }

  /** Writes what was recorded so far, reads the files to their ends. */
  async drain(deadlineMs: number): Promise<void> {
    if (this.collector === undefined) return;
    const left = await this.collector.drain(deadlineMs);
    if (left.unreadBytes > 0 || left.unsentBytes > 0) this.thread.emit("collector_cut", { ...left });
  }

  async stop(): Promise<void> {
    this.isStopped = true;
    await this.starting?.catch(() => undefined);
    await this.collector?.stop();
  }

  private async collect({ logs, schedules }: Config): Promise<void> {
    if (this.collector === undefined && this.starting === undefined) {
      if (logs.length === 0 && schedules.every(({ print }) => print === "none")) return;
      this.logs = logs;
      await this.start();
      return;
    }
    await this.starting;
    await this.changeTo(logs);
  }

  private async changeTo(logs: Config["logs"]): Promise<void> {
    if (this.collector === undefined || sameLogs(this.logs, logs)) return;
    await this.collector.reload(logs);
    this.logs = logs;
  }

  private start(): Promise<RecordCollector> {
    this.starting = this.startCollector(this.logs);
    this.starting.then(
      (collector) => this.handOver(collector),
      () => this.dropEarly(),
    );
    return this.starting;
  }

  private keepEarly(stream: RecordStream, line: string): boolean {
    if (this.isStopped || this.earlyCharacters + line.length > keptCharacters) return false;
    if (this.starting === undefined) this.start().catch((error) => this.thread.emit("collector_failed", { error }));
    this.early.push([stream, line]);
    this.earlyCharacters += line.length;
    return true;
  }

  private handOver(collector: RecordCollector): void {
    this.collector = collector;
    const early = this.early;
    this.forgetEarly();
    for (const [stream, line] of early) this.record(stream, line);
  }

  /** The next record, or a reload, tries again. */
  private dropEarly(): void {
    for (const [stream] of this.early) {
      this.thread.metrics.counter("outrigger_records_dropped_total", { stream }).add(1);
    }
    this.forgetEarly();
    this.starting = undefined;
  }

  private forgetEarly(): void {
    this.early = [];
    this.earlyCharacters = 0;
  }
}

function sameLogs(a: Config["logs"], b: Config["logs"]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
