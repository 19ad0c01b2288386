/**
 * Begins every part (made by parts.ts) in start order and stops them in reverse.
 *
 *   config -> state -> telemetry -> health (says "starting") -> log worker, listeners, schedules (all at once, as one
 *   transaction: see config/reload) -> ready -> watching the config's files
 */
import { AdminListener, type AdminSource } from "./admin/admin.ts";
import { HealthListener, type HealthSource } from "./admin/health.ts";
import { BypassWatch } from "./bypass-watch.ts";
import { type FirstLoad, firstLoad } from "./config/first-load.ts";
import { saveLastGood } from "./config/last-good.ts";
import { type Loaded, loadConfig } from "./config/load.ts";
import type { Environment } from "./config/references.ts";
import { applyConfig, faultLines, Reload } from "./config/reload.ts";
import type { Config } from "./config/schema.ts";
import { ConfigWatch } from "./config/watch.ts";
import type { Direction } from "./contracts.ts";
import { Leaving } from "./leaving.ts";
import { Lifecycle } from "./lifecycle.ts";
import { Parts, type PartsOptions, type Threads, threadsFor } from "./parts.ts";
import { surviveUnexpected } from "./telemetry/unexpected.ts";
import { usesFilters } from "./traffic.ts";
import { FilterWatchdog } from "./user-filters/filter-watchdog.ts";
import { version } from "./version.ts";

export interface SidecarOptions extends PartsOptions {
  readonly configPath: string;
  readonly env: Environment;
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

class RunningSidecar implements Sidecar, HealthSource {
  private readonly options: SidecarOptions;
  private readonly first: FirstLoad;
  private readonly startedAt: number;
  private readonly parts: Parts;
  private readonly leaving: Leaving;
  private readonly lifecycle: Lifecycle;
  private readonly reloading: Reload;
  private readonly watch: ConfigWatch;
  private readonly watchdog: FilterWatchdog;
  private readonly bypass: BypassWatch;
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
    this.options = options;
    this.watchdog = watchdog;
    this.first = first;
    this.startedAt = options.clock.now();
    this.watch = watch;
    const parts = new Parts(options, { first, watchdog, threads, onFailure: () => this.failed() });
    const { thread, timing } = parts;
    this.parts = parts;
    this.bypass = new BypassWatch(thread, timing);
    if (options.survivesUnexpected !== false) this.endSurviving = surviveUnexpected(thread.emit);
    this.reloading = this.reloadParts();
    this.leaving = new Leaving({
      config: first.loaded.config,
      parts,
      thread,
      timing,
      seen: { exchangesEnded: () => parts.exchangesEnded, linesRead: () => parts.linesRead },
      quiesce: () => this.quiesce(),
      close: () => this.close(),
    });
    this.lifecycle = new Lifecycle(this.leaving, timing, thread.emit);
  }

  /** Binds and begins everything, or stops what was begun and rejects. */
  async start(): Promise<void> {
    const { loaded, faults } = this.first;
    const { emit } = this.parts.thread;
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
    this.tellShortGrace(loaded);
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
    return this.parts.traffic.listeners;
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
    return [...(reason === undefined ? [] : [reason]), ...this.parts.schedules.readyReasons()];
  }

  announceTo(by: "kubelet" | "anyone"): number {
    const leaseMs = by === "kubelet" ? podLeaseMs(this.leaving.config) : anyonesLeaseMs;
    return this.lifecycle.announceFor(leaseMs);
  }

  scrape(): string {
    return this.parts.scrape();
  }

  private tellShortGrace({ config: { shutdown } }: Loaded): void {
    const { cutFromMs: wantedMs, graceMs, podGraceMs } = shutdown;
    if (wantedMs !== undefined) this.parts.thread.emit("grace_cut", { wantedMs, graceMs, podGraceMs });
  }

  private openAdmin(): Promise<AdminListener | undefined> {
    const { loaded, stateDir } = this.first;
    return AdminListener.open({
      place: loaded.config.admin,
      stateDir,
      source: this.adminSource(),
      emit: this.parts.thread.emit,
    });
  }

  private adminSource(): AdminSource {
    const { records, timing } = this.parts;
    return {
      logFiles: () => records.logFiles(),
      tailLogs: (filter) => records.tailLogs(filter),
      quit: () => {
        if (this.leaving.config.shutdown.quit !== true) return false;
        // Whoever asks has nothing more for us to do; it shall have its answer before the listener closes.
        this.leaving.waitsForApp = false;
        timing.after(quitAfterMs, () => {
          // Whoever asks twice is in no hurry.
          if (this.lifecycle.state === "ready") void this.lifecycle.drain("POST /quit", { announces: false });
        });
        return true;
      },
    };
  }

  private async apply(loaded: Loaded): Promise<void> {
    this.parts.declare(loaded);
    await applyConfig(this.parts.configured, loaded.config);
    this.leaving.config = loaded.config;
    this.bypass.watch(loaded);
  }

  private reloadParts(): Reload {
    const { configPath, env } = this.options;
    const { watch, watchdog } = this;
    return new Reload({
      emit: this.parts.thread.emit,
      metrics: this.parts.thread.metrics,
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
    if (trouble !== undefined) this.parts.thread.emit("config_last_good_unsaved", { folder, trouble });
    else await this.keepFilters(config);
  }

  /** Beside the text: a filter's file may become wrong, too. Nothing to do as long as there never was one. */
  private async keepFilters(config: Config): Promise<void> {
    this.keepsFilters ||= usesFilters(config);
    if (!this.keepsFilters) return;
    const { keepVersions } = await import("./user-filters/kept.ts");
    const folder = this.first.stateDir;
    const trouble = await keepVersions(folder, config);
    if (trouble !== undefined) this.parts.thread.emit("config_last_good_unsaved", { folder, trouble });
  }

  /**
   * A thread that carried traffic is gone. The others go on to the end of a drain; a new process, which whoever started
   * us makes, is surer than one in which nobody knows what is left.
   */
  private failed(): void {
    this.code = failedExitCode;
    if (this.lifecycle.state !== "starting") void this.lifecycle.drain("a traffic thread failed");
  }

  /** The last reload ends; no further one begins. */
  private quiesce(): Promise<void> {
    this.watch.stop();
    return this.reloading.close();
  }

  private close(): void {
    const durationMs = Math.round(this.options.clock.now() - this.startedAt);
    if (this.lifecycle.state !== "starting") this.parts.thread.emit("stopped", { durationMs });
    void this.healthListener?.stop();
    void this.adminListener?.stop();
    this.bypass.stop();
    this.watchdog.stop();
    this.endSurviving?.();
    this.parts.telemetry.close(lastWordsMs);
    this.exitCode.resolve(this.code);
  }
}

/** From `POST /quit` to the stop. */
const quitAfterMs = 20;

/** Anyone can ask for `/drain`, and a preStop hook may fire without a stop behind it: such an announcement is short. */
const anyonesLeaseMs = 10_000;

/**
 * The kubelet asks when the pod ends, and an app may then take the pod's whole grace before a native sidecar gets its
 * SIGTERM: to say that we are ready meanwhile would bring traffic back. Afterwards the pod is gone, or it did not end.
 */
function podLeaseMs({ shutdown: { podGraceMs, graceMs } }: Config): number {
  return (podGraceMs ?? Math.max(30_000, graceMs + 5000)) + 5000;
}

/** EX_SOFTWARE of sysexits.h: a fault of ours ended a sidecar that had started. */
const failedExitCode = 70;

/** What stopping the parts of a failed start may take. */
const failedStartMs = 1000;

/** How long the last lines of the own log may block. */
const lastWordsMs = 200;
