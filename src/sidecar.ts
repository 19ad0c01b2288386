/**
 * Builds every part in start order and stops them in reverse.
 *
 *   config -> state -> telemetry -> health (says "starting") -> log worker, listeners, schedules (all at once, as one
 *   transaction: see config/reload) -> ready -> watching the config's files
 */
import { dirname } from "node:path";
import { AdminListener } from "./admin/admin.ts";
import { HealthListener, type HealthSource } from "./admin/health.ts";
import { filtersOf } from "./config/filters-of.ts";
import { type FirstLoad, firstLoad } from "./config/first-load.ts";
import { saveLastGood } from "./config/last-good.ts";
import { type Loaded, loadConfig } from "./config/load.ts";
import type { Environment } from "./config/references.ts";
import { applyConfig, type ConfiguredPart, faultLines, Reload } from "./config/reload.ts";
import type { Config } from "./config/schema.ts";
import { ConfigWatch } from "./config/watch.ts";
import type { Clock, Direction, Thread } from "./contracts.ts";
import { Leaving } from "./leaving.ts";
import { Lifecycle } from "./lifecycle.ts";
import { allottedCores, defaultConnections, descriptorsKept, memoryLimitBytes, openFilesLimit } from "./limits.ts";
import { totalOf } from "./metrics.ts";
import { type RecordCollector, Records } from "./records.ts";
import type { Timing } from "./schedules/clock.ts";
import { Schedules } from "./schedules/schedules.ts";
import { Telemetry, type TelemetryOptions } from "./telemetry/telemetry.ts";
import { surviveUnexpected } from "./telemetry/unexpected.ts";
import { Traffic, type TrafficOptions, usesFilters } from "./traffic.ts";
import type { TrafficPart } from "./traffic-part.ts";
import { FilterWatchdog } from "./user-filters/filter-watchdog.ts";
import { version } from "./version.ts";
import type { TrafficWorkers } from "./workers/traffic-workers.ts";
import type { SpawnWorker } from "./workers/worker-thread.ts";

export interface SidecarOptions extends TelemetryOptions {
  readonly configPath: string;
  readonly env: Environment;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** False leaves errors nobody caught to whoever started the sidecar. Default true. */
  readonly survivesUnexpected?: boolean;
  /** Makes the threads that carry traffic with `concurrency` above 1. Default: those with the built-in filters. */
  readonly spawnWorker?: SpawnWorker;
}

export interface Sidecar {
  /** Where health and metrics are served, as bound. */
  readonly health: { readonly address: string; readonly port: number };
  /** As bound. */
  readonly listeners: readonly { readonly name: string; readonly direction: Direction; readonly address: string }[];
  /**
   * Stops within `shutdown.grace`, asked again at once. `SIGINT` comes from a person who waits: then nothing is
   * announced first. Resolves when everything is stopped.
   */
  drain(reason: string): Promise<void>;
  /** Reads the config anew; resolves to whether it runs now. */
  reload(reason: string): Promise<boolean>;
  /** The exit code, once stopped. */
  readonly stopped: Promise<number>;
}

/** @throws UserError: exit 1 with every fault of the config, exit 3 when an address cannot be bound */
export async function startSidecar(options: SidecarOptions): Promise<Sidecar> {
  // Before the file is read for the first time: no change after that goes unseen.
  const watch = new ConfigWatch(options);
  watch.watch([options.configPath]);
  const { logFd = 2, logFormat = "json" } = options;
  const watchdog = new FilterWatchdog({ logFd, logFormat });
  try {
    const first = await firstLoad(options.configPath, {
      env: options.env,
      watchdog,
      noteFile: (file) => watch.note(file),
    });
    const sidecar = new RunningSidecar(options, first, watch, watchdog, await threadsFor(first.loaded.config));
    await sidecar.start();
    return sidecar;
  } catch (error) {
    watch.stop();
    watchdog.stop();
    throw error;
  }
}

/** Several threads that carry traffic: how many, and the part that drives them. */
interface Threads {
  readonly count: number;
  readonly Workers: typeof TrafficWorkers;
}

/** Undefined when the main thread carries it alone: then nothing of this is loaded. */
async function threadsFor({ concurrency }: Config): Promise<Threads | undefined> {
  const count = concurrency === "auto" ? allottedCores() : concurrency;
  if (count === 1) return undefined;
  return { count, Workers: (await import("./workers/traffic-workers.ts")).TrafficWorkers };
}

class RunningSidecar implements Sidecar, HealthSource {
  private readonly options: SidecarOptions;
  private readonly first: FirstLoad;
  private readonly startedAt: number;
  private readonly telemetry: Telemetry;
  private readonly thread: Thread;
  private readonly records: Records;
  private readonly traffic: TrafficPart;
  private readonly schedules: Schedules;
  private readonly leaving: Leaving;
  private readonly lifecycle: Lifecycle;
  private readonly reloading: Reload;
  private readonly watch: ConfigWatch;
  private readonly watchdog: FilterWatchdog;
  private keepsFilters = false;
  private readonly exitCode = Promise.withResolvers<number>();
  private readonly endSurviving: (() => void) | undefined;
  private healthListener: HealthListener | undefined;
  private adminListener: AdminListener | undefined;

  /** The exit code of a stop. */
  private code = 0;

  constructor(
    options: SidecarOptions,
    first: FirstLoad,
    watch: ConfigWatch,
    watchdog: FilterWatchdog,
    threads: Threads | undefined,
  ) {
    const { clock, random } = options;
    this.options = options;
    this.watchdog = watchdog;
    this.first = first;
    this.startedAt = clock.now();
    this.watch = watch;
    this.telemetry = new Telemetry(options);
    const { metrics, events } = this.telemetry;
    if (options.survivesUnexpected !== false) this.endSurviving = surviveUnexpected(events.emit);
    this.records = new Records((logs, rings) => this.startCollector(logs, rings), { metrics, emit: events.emit });
    this.thread = { clock, random, metrics, emit: events.emit, record: this.records.record };
    this.traffic = this.makeTraffic(limitsOf(first.loaded.config, threads?.count ?? 1), threads);
    const timing: Timing = { clock, random, after };
    this.schedules = new Schedules({ thread: this.thread, timing, send: (wanted) => this.traffic.request(wanted) });
    this.reloading = this.reloadParts();
    const { traffic, schedules, records, thread } = this;
    this.leaving = new Leaving({
      config: first.loaded.config,
      parts: { traffic, schedules, records },
      thread,
      timing,
      exchangesEnded: () => totalOf("outrigger_requests_total", [metrics, ...traffic.metricsSources()]),
      quiesce: () => this.quiesce(),
      close: () => this.close(),
    });
    this.lifecycle = new Lifecycle(this.leaving, timing, events.emit);
  }

  /** Binds and begins everything, or stops what was begun and rejects. */
  async start(): Promise<void> {
    const { loaded, faults } = this.first;
    const { emit } = this.thread;
    emit("starting", { version, config: loaded.config.file });
    try {
      this.healthListener = HealthListener.open(loaded.config.health, this);
      this.adminListener = await this.openAdmin();
      await this.apply(loaded);
    } catch (error) {
      await this.leaving.stop(failedStartMs);
      throw error;
    }
    this.lifecycle.started();
    if (this.code !== 0) this.failed();
    const durationMs = Math.round(this.options.clock.now() - this.startedAt);
    emit("ready", { durationMs, health: this.health.address, admin: this.adminListener?.address });
    this.watch.changed = () => void this.reload("a file changed");
    this.watch.watch([loaded.config.file, ...loaded.files]);
    if (faults.length === 0) await this.keepText(loaded);
    else emit("config_last_good_used", { config: loaded.config.file, faults: faultLines(faults) });
  }

  get health(): { address: string; port: number } {
    return { address: this.healthListener?.address ?? "", port: this.healthListener?.port ?? 0 };
  }

  get listeners(): Sidecar["listeners"] {
    return this.traffic.listeners;
  }

  get stopped(): Promise<number> {
    return this.exitCode.promise;
  }

  drain(reason: string): Promise<void> {
    const isAttended = reason === "SIGINT";
    if (isAttended) this.leaving.waitsForApp = false;
    return this.lifecycle.drain(reason, { announces: !isAttended });
  }

  reload(reason: string): Promise<boolean> {
    return this.reloading.request(reason);
  }

  startupReasons(): readonly string[] {
    return this.lifecycle.state === "starting" ? ["listeners are being bound"] : [];
  }

  readyReasons(): readonly string[] {
    const reason = this.lifecycle.unreadyReason;
    return [...(reason === undefined ? [] : [reason]), ...this.schedules.readyReasons()];
  }

  announceFor(leaseMs: number): void {
    this.lifecycle.announceFor(leaseMs);
  }

  scrape(): string {
    const sources = [...this.traffic.metricsSources(), ...this.records.metricsSources()];
    return this.telemetry.scrape(sources, this.traffic.takeLoopLags());
  }

  private openAdmin(): Promise<AdminListener | undefined> {
    const { loaded, stateDir } = this.first;
    return AdminListener.open({
      place: loaded.config.admin,
      stateDir,
      source: this.records,
      emit: this.thread.emit,
    });
  }

  private get parts(): ConfiguredPart[] {
    return [this.traffic, this.records, this.schedules]; // listeners first: a worker takes its time to start
  }

  private async apply({ config, dropIns }: Loaded): Promise<void> {
    for (const kind of Object.values(dropIns)) {
      for (const dropIn of kind.values()) if (dropIn !== undefined) this.telemetry.declare(dropIn);
    }
    for (const filter of filtersOf(config)) this.telemetry.declare(filter);
    await applyConfig(this.parts, config);
    this.leaving.config = config;
  }

  private reloadParts(): Reload {
    const { configPath, env } = this.options;
    const { watch, watchdog } = this;
    return new Reload({
      emit: this.thread.emit,
      metrics: this.thread.metrics,
      started: this.first.loaded.config,
      load: () => loadConfig(configPath, { env, watchdog, noteFile: (file) => watch.note(file) }),
      apply: (loaded) => this.apply(loaded),
      applied: (loaded) => {
        this.watch.watch([loaded.config.file, ...loaded.files]);
        return this.keepText(loaded);
      },
    });
  }

  /** For a restart that finds the file wrong. */
  private async keepText({ config, text }: Loaded): Promise<void> {
    const folder = this.first.stateDir;
    const trouble = await saveLastGood(folder, { path: config.file, text, savedAtMs: this.options.clock.wall() });
    if (trouble !== undefined) this.thread.emit("config_last_good_unsaved", { folder, trouble });
    else await this.keepFilters(config);
  }

  /** Beside the text: a filter's file may become wrong, too. Nothing to do as long as there never was one. */
  private async keepFilters(config: Config): Promise<void> {
    this.keepsFilters ||= usesFilters(config);
    if (!this.keepsFilters) return;
    const { keepVersions } = await import("./user-filters/kept.ts");
    const folder = this.first.stateDir;
    const trouble = await keepVersions(folder, config);
    if (trouble !== undefined) this.thread.emit("config_last_good_unsaved", { folder, trouble });
  }

  private makeTraffic(limits: TrafficLimits, threads: Threads | undefined): TrafficPart {
    if (threads === undefined) return new Traffic(this.thread, limits);
    const { logFormat = "json", logLevel = "info", strict = false, spawnWorker } = this.options;
    return new threads.Workers({
      thread: this.thread,
      count: threads.count,
      limits,
      log: { format: logFormat, level: logLevel, strict },
      records: this.records,
      writeLine: this.telemetry.writeLine,
      onFailure: () => this.failed(),
      watchFilters: (memory) => this.watchdog.watch(memory),
      ...(spawnWorker && { spawn: spawnWorker }),
    });
  }

  /**
   * A thread that carried traffic is gone. The others go on to the end of a drain; a new process, which whoever started
   * us makes, is surer than one in which nobody knows what is left.
   */
  private failed(): void {
    this.code = failedExitCode;
    if (this.lifecycle.state !== "starting") void this.lifecycle.drain("a traffic thread failed");
  }

  private async startCollector(logs: Config["logs"], rings: readonly SharedArrayBuffer[]): Promise<RecordCollector> {
    const { Collector } = await import("./logs/collector.ts");
    const folder = dirname(this.first.loaded.config.file);
    return Collector.start({ logs, stateDir: this.first.stateDir, folder, thread: this.thread, rings });
  }

  /** The last reload ends; no further one begins. */
  private quiesce(): Promise<void> {
    this.watch.stop();
    return this.reloading.close();
  }

  private close(): void {
    const durationMs = Math.round(this.options.clock.now() - this.startedAt);
    if (this.lifecycle.state !== "starting") this.thread.emit("stopped", { durationMs });
    void this.healthListener?.stop();
    void this.adminListener?.stop();
    this.watchdog.stop();
    this.endSurviving?.();
    this.telemetry.close(lastWordsMs);
    this.exitCode.resolve(this.code);
  }
}

/** EX_SOFTWARE of sysexits.h: a fault of ours ended a sidecar that had started. */
const failedExitCode = 70;

/** What stopping the parts of a failed start may take. */
const failedStartMs = 1000;

/** How long the last lines of the own log may block. */
const lastWordsMs = 200;

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
