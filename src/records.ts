/**
 * The way of records to the log worker. The worker is started for `logs:` and for schedules that print, and otherwise
 * when the first record comes: a sidecar whose filters write none does not pay for it.
 *
 *   record --> collector runs? --> its ring
 *          --> is being started --> kept, 1 MiB at most --> its ring
 *          --> dropped, counted
 *
 * Other threads have rings of their own, which the collector reads; here it is only said that something waits in one.
 */
import type { LogWatch } from "./admin/log-pages.ts";
import type { Change, ConfiguredPart } from "./config/reload.ts";
import type { Config } from "./config/schema.ts";
import type { LogSourceState, RecordStream, Thread } from "./contracts.ts";
import type { RecordRing } from "./logs/record-ring.ts";
import type { LogTail } from "./logs/tail.ts";
import type { TapFilter } from "./logs/tap.ts";
import type { MetricsSource } from "./metrics.ts";

/** `Collector` of logs/collector.ts. */
export interface RecordCollector {
  readonly record: Thread["record"];
  /** Something waits in a ring of another thread. */
  wake(): void;
  reload(logs: Config["logs"]): Promise<void>;
  drain(deadlineMs: number): Promise<{ unreadBytes: number; unsentBytes: number }>;
  stop(): Promise<void>;
  metricsSources(): readonly MetricsSource[];
  /** One row per file. */
  state(): Promise<LogSourceState[]>;
  /** Undefined where too many watch already. */
  tail(filter: TapFilter): LogTail | undefined;
}

/** `rings` are those of other threads. */
export type StartCollector = (logs: Config["logs"], rings: readonly SharedArrayBuffer[]) => Promise<RecordCollector>;

/** Most characters kept while the collector is being started. */
const keptCharacters = 1024 * 1024;

export class Records implements ConfiguredPart, LogWatch {
  private readonly startCollector: StartCollector;
  private readonly thread: Pick<Thread, "emit" | "metrics">;
  /** Access records of other threads. */
  private readonly rings: RecordRing[] = [];
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
    if (!taken) this.countDropped(stream, 1);
    return taken;
  };

  /** From now on that thread's access records are collected, too. To be called before anything is. */
  collectFrom(ring: RecordRing): void {
    this.rings.push(ring);
  }

  /** Another thread's records wait in its ring. */
  wake(): void {
    if (this.collector !== undefined) this.collector.wake();
    else if (!this.isStopped) this.startForRecords();
  }

  /** The numbers of the log worker. */
  metricsSources(): readonly MetricsSource[] {
    return this.collector?.metricsSources() ?? [];
  }

  /** As `LogWatch`. */
  async logFiles(): Promise<readonly LogSourceState[] | undefined> {
    return this.logs.length === 0 ? undefined : this.collector?.state();
  }

  /** As `LogWatch`. */
  tailLogs(filter: TapFilter): LogTail | "crowded" | undefined {
    return this.collector === undefined ? undefined : (this.collector.tail(filter) ?? "crowded");
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
    await this.starting?.catch(() => undefined);
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
    this.starting = this.startCollector(
      this.logs,
      this.rings.map(({ memory }) => memory),
    );
    this.starting.then(
      (collector) => this.handOver(collector),
      () => this.dropEarly(),
    );
    return this.starting;
  }

  private keepEarly(stream: RecordStream, line: string): boolean {
    if (this.isStopped || this.earlyCharacters + line.length > keptCharacters) return false;
    this.startForRecords();
    this.early.push([stream, line]);
    this.earlyCharacters += line.length;
    return true;
  }

  private startForRecords(): void {
    if (this.starting === undefined) this.start().catch((error) => this.thread.emit("collector_failed", { error }));
  }

  private handOver(collector: RecordCollector): void {
    this.collector = collector;
    const early = this.early;
    this.forgetEarly();
    for (const [stream, line] of early) this.record(stream, line);
  }

  /** The next record, or a reload, tries again. */
  private dropEarly(): void {
    for (const [stream] of this.early) this.countDropped(stream, 1);
    for (const ring of this.rings) this.countDropped("access", ring.discard());
    this.forgetEarly();
    this.starting = undefined;
  }

  private countDropped(stream: RecordStream, count: number): void {
    this.thread.metrics.counter("outrigger_records_dropped_total", { stream }).add(count);
  }

  private forgetEarly(): void {
    this.early = [];
    this.earlyCharacters = 0;
  }
}

function sameLogs(a: Config["logs"], b: Config["logs"]): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
