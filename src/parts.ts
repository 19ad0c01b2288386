/**
 * The parts of a sidecar, and what they share: made here, bound and begun by `sidecar.ts`.
 *
 *   telemetry -> records (the log worker) -> traffic (in this thread, or in several) -> schedules
 */
import { dirname } from "node:path";
import { filtersOf } from "./config/filters-of.ts";
import type { FirstLoad } from "./config/first-load.ts";
import type { Loaded } from "./config/load.ts";
import type { ConfiguredPart } from "./config/reload.ts";
import type { Config } from "./config/schema.ts";
import type { Thread } from "./contracts.ts";
import { allottedCores, defaultConnections, descriptorsKept, memoryLimitBytes, openFilesLimit } from "./limits.ts";
import { totalOf } from "./metrics.ts";
import { type RecordCollector, Records } from "./records.ts";
import type { Timing } from "./schedules/clock.ts";
import { Schedules } from "./schedules/schedules.ts";
import { Telemetry, type TelemetryOptions } from "./telemetry/telemetry.ts";
import { Traffic, type TrafficOptions } from "./traffic.ts";
import type { TrafficPart } from "./traffic-part.ts";
import type { FilterWatchdog } from "./user-filters/filter-watchdog.ts";
import type { TrafficWorkers } from "./workers/traffic-workers.ts";
import type { SpawnWorker } from "./workers/worker-thread.ts";

export interface PartsOptions extends TelemetryOptions {
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** Makes the threads that carry traffic with `concurrency` above 1. Default: those with the built-in filters. */
  readonly spawnWorker?: SpawnWorker;
}

/** What the parts are made of, and whom they tell. */
export interface PartsSource {
  readonly first: FirstLoad;
  readonly watchdog: FilterWatchdog;
  /** Undefined when the main thread carries the traffic alone. */
  readonly threads: Threads | undefined;
  /** Called when a thread that carried traffic is gone. */
  readonly onFailure: () => void;
}

/** Several threads that carry traffic: how many, and the part that drives them. */
export interface Threads {
  readonly count: number;
  readonly Workers: typeof TrafficWorkers;
}

/** Undefined when the main thread carries it alone: then nothing of this is loaded. */
export async function threadsFor({ concurrency }: Config): Promise<Threads | undefined> {
  const count = concurrency === "auto" ? allottedCores() : concurrency;
  if (count === 1) return undefined;
  return { count, Workers: (await import("./workers/traffic-workers.ts")).TrafficWorkers };
}

export class Parts {
  readonly telemetry: Telemetry;
  readonly thread: Thread;
  readonly timing: Timing;
  readonly records: Records;
  readonly traffic: TrafficPart;
  readonly schedules: Schedules;
  private readonly options: PartsOptions;
  private readonly source: PartsSource;

  constructor(options: PartsOptions, source: PartsSource) {
    const { clock, random } = options;
    this.options = options;
    this.source = source;
    this.telemetry = new Telemetry(options);
    const { metrics, events } = this.telemetry;
    const { emit } = events;
    this.records = new Records((logs, rings) => this.startCollector(logs, rings), { metrics, emit });
    this.thread = { clock, random, metrics, emit, record: this.records.record };
    this.timing = { clock, random, after };
    this.traffic = this.makeTraffic();
    const { thread, timing, traffic } = this;
    this.schedules = new Schedules({ thread, timing, send: (wanted) => traffic.request(wanted) });
  }

  /** Those a change of the configuration is put to, in this order. */
  get configured(): ConfiguredPart[] {
    return [this.traffic, this.records, this.schedules]; // listeners first: a worker takes its time to start
  }

  /** Exchanges that have ended since the start, in all threads. */
  get exchangesEnded(): number {
    return totalOf("outrigger_requests_total", [this.telemetry.metrics, ...this.traffic.metricsSources()]);
  }

  /** Lines that inputs have read since the start. */
  get linesRead(): number {
    return totalOf("outrigger_log_read_lines_total", this.records.metricsSources());
  }

  /** Makes known the events and metrics of all drop-ins that a configuration names. */
  declare({ config, dropIns }: Loaded): void {
    for (const kind of Object.values(dropIns)) {
      for (const dropIn of kind.values()) if (dropIn !== undefined) this.telemetry.declare(dropIn);
    }
    for (const filter of filtersOf(config)) this.telemetry.declare(filter);
  }

  /** All metrics of all threads, as text. */
  scrape(): string {
    const sources = [...this.traffic.metricsSources(), ...this.records.metricsSources()];
    return this.telemetry.scrape(sources, this.traffic.takeLoopLags());
  }

  private makeTraffic(): TrafficPart {
    const { first, threads, watchdog, onFailure } = this.source;
    const limits = limitsOf(first.loaded.config, threads?.count ?? 1);
    if (threads === undefined) return new Traffic(this.thread, limits);
    const { logFormat = "json", logLevel = "info", strict = false, spawnWorker } = this.options;
    return new threads.Workers({
      thread: this.thread,
      count: threads.count,
      limits,
      log: { format: logFormat, level: logLevel, strict },
      records: this.records,
      writeLine: this.telemetry.writeLine,
      onFailure,
      watchFilters: (memory) => watchdog.watch(memory),
      ...(spawnWorker && { spawn: spawnWorker }),
    });
  }

  private async startCollector(logs: Config["logs"], rings: readonly SharedArrayBuffer[]): Promise<RecordCollector> {
    const { Collector } = await import("./logs/collector.ts");
    const { loaded, stateDir } = this.source.first;
    return Collector.start({ logs, stateDir, folder: dirname(loaded.config.file), thread: this.thread, rings });
  }
}

function after(delayMs: number, run: () => void): () => void {
  // What was still ahead when it was reckoned may be past by now; the runtime complains of that on stderr.
  const timer = setTimeout(run, Math.max(0, delayMs));
  return () => clearTimeout(timer);
}

type TrafficLimits = Pick<TrafficOptions, "maxConnections" | "memoryLimitBytes">;

function limitsOf({ limits, inbound, outbound }: Config, threads: number): TrafficLimits {
  const listeners = [...inbound, ...outbound];
  const hasUpstreams = listeners.some(({ routes }) => routes.some(({ action }) => action.kind === "forward"));
  const kept = descriptorsKept(threads, listeners.length);
  return {
    maxConnections: limits.connections ?? defaultConnections(hasUpstreams, openFilesLimit(), kept),
    memoryLimitBytes: memoryLimitBytes(limits.memory),
  };
}
