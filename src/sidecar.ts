/**
 * Builds every part in start order and stops them in reverse.
 *
 *   config -> state -> telemetry -> health (says "starting") -> log worker, listeners, schedules (all at once, as one
 *   transaction: see config/reload) -> ready -> watching the config's files
 */
import { dirname } from "node:path";
import { HealthListener, type HealthSource } from "./admin/health.ts";
import { type FirstLoad, firstLoad } from "./config/first-load.ts";
import { saveLastGood } from "./config/last-good.ts";
import { type Loaded, loadConfig } from "./config/load.ts";
import type { Environment } from "./config/references.ts";
import { applyConfig, type ConfiguredPart, faultLines, Reload } from "./config/reload.ts";
import type { Config } from "./config/schema.ts";
import { ConfigWatch } from "./config/watch.ts";
import type { Clock, Direction, Thread } from "./contracts.ts";
import { request } from "./http/request.ts";
import { Leaving } from "./leaving.ts";
import { Lifecycle } from "./lifecycle.ts";
import { defaultConnections, memoryLimitBytes } from "./limits.ts";
import { type RecordCollector, Records } from "./records.ts";
import type { Timing } from "./schedules/clock.ts";
import { Schedules } from "./schedules/schedules.ts";
import { Telemetry, type TelemetryOptions } from "./telemetry/telemetry.ts";
import { surviveUnexpected } from "./telemetry/unexpected.ts";
import { Traffic } from "./traffic.ts";
import { version } from "./version.ts";

export interface SidecarOptions extends TelemetryOptions {
  readonly configPath: string;
  readonly env: Environment;
  readonly clock: Clock;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  /** False leaves errors nobody caught to whoever started the sidecar. Default true. */
  readonly survivesUnexpected?: boolean;
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
  try {
    const sidecar = new RunningSidecar(options, await firstLoad(options.configPath, options.env), watch);
    await sidecar.start();
    return sidecar;
  } catch (error) {
    watch.stop();
    throw error;
  }
}

class RunningSidecar implements Sidecar, HealthSource {
  private readonly options: SidecarOptions;
  private readonly first: FirstLoad;
  private readonly startedAt: number;
  private readonly telemetry: Telemetry;
  private readonly thread: Thread;
  private readonly records: Records;
  private readonly traffic: Traffic;
  private readonly schedules: Schedules;
  private readonly leaving: Leaving;
  private readonly lifecycle: Lifecycle;
  private readonly reloading: Reload;
  private readonly watch: ConfigWatch;
  private readonly exitCode = Promise.withResolvers<number>();
  private readonly endSurviving: (() => void) | undefined;
  private healthListener: HealthListener | undefined;

  constructor(options: SidecarOptions, first: FirstLoad, watch: ConfigWatch) {
    const { clock, random } = options;
    this.options = options;
    this.first = first;
    this.startedAt = clock.now();
    this.watch = watch;
    this.telemetry = new Telemetry(options);
    const { metrics, events } = this.telemetry;
    if (options.survivesUnexpected !== false) this.endSurviving = surviveUnexpected(events.emit);
    this.records = new Records((logs) => this.startCollector(logs), { metrics, emit: events.emit });
    this.thread = { clock, random, metrics, emit: events.emit, record: this.records.record };
    this.traffic = new Traffic(this.thread, limitsOf(first.loaded.config));
    const timing: Timing = { clock, random, after };
    const send: ConstructorParameters<typeof Schedules>[0]["send"] = (wanted) => request(this.traffic.engine, wanted);
    this.schedules = new Schedules({ thread: this.thread, timing, send });
    this.reloading = this.reloadParts();
    const { traffic, schedules, records, thread } = this;
    this.leaving = new Leaving({
      config: first.loaded.config,
      parts: { traffic, schedules, records },
      thread,
      timing,
      exchangesEnded: () => metrics.total("outrigger_requests_total"),
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
      await this.apply(loaded);
    } catch (error) {
      await this.leaving.stop(failedStartMs);
      throw error;
    }
    this.lifecycle.started();
    const durationMs = Math.round(this.options.clock.now() - this.startedAt);
    emit("ready", { durationMs, health: this.health.address });
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
    return this.telemetry.scrape(this.records.metricsSources());
  }

  private get parts(): ConfiguredPart[] {
    return [this.traffic, this.records, this.schedules]; // listeners first: a worker takes its time to start
  }

  private async apply({ config, dropIns }: Loaded): Promise<void> {
    for (const kind of Object.values(dropIns)) {
      for (const dropIn of kind.values()) if (dropIn !== undefined) this.telemetry.declare(dropIn);
    }
    await applyConfig(this.parts, config);
    this.leaving.config = config;
  }

  private reloadParts(): Reload {
    const { configPath, env } = this.options;
    return new Reload({
      emit: this.thread.emit,
      metrics: this.thread.metrics,
      started: this.first.loaded.config,
      load: () => loadConfig(configPath, { env }),
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
  }

  private async startCollector(logs: Config["logs"]): Promise<RecordCollector> {
    const { Collector } = await import("./logs/collector.ts");
    const folder = dirname(this.first.loaded.config.file);
    return Collector.start({ logs, stateDir: this.first.stateDir, folder, thread: this.thread });
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
    this.endSurviving?.();
    this.telemetry.close(lastWordsMs);
    this.exitCode.resolve(0);
  }
}

/** What stopping the parts of a failed start may take. */
const failedStartMs = 1000;

/** How long the last lines of the own log may block. */
const lastWordsMs = 200;

function after(delayMs: number, run: () => void): () => void {
  const timer = setTimeout(run, delayMs);
  return () => clearTimeout(timer);
}

function limitsOf({ limits, inbound, outbound }: Config): { maxConnections: number; memoryLimitBytes: number } {
  const routes = [...inbound, ...outbound].flatMap((listener) => listener.routes);
  const hasUpstreams = routes.some(({ action }) => action.kind === "forward");
  return {
    maxConnections: limits.connections ?? defaultConnections(hasUpstreams),
    memoryLimitBytes: memoryLimitBytes(limits.memory),
  };
}
