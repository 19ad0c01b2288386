/**
 * A new config for a running sidecar, as one transaction:
 *
 *   load -> every part prepares (binds what is new, starts what may fail) -> all commit in one tick -> keep the text
 *     \________ any failure: what was prepared is undone, all of the old stays, every fault is said ________/
 */
import type { Awaitable, Emit, Metrics } from "../contracts.ts";
import { UserError } from "../errors.ts";
import { adminText } from "./admin.ts";
import { type Fault, formatFaults } from "./faults.ts";
import type { Loaded, LoadResult } from "./load.ts";
import type { Config } from "./schema.ts";

/** What a part has prepared. Exactly one of the two is called. */
export interface Change {
  /** Makes it so, within this tick. Cannot fail. A promise says when the part's other threads have followed. */
  commit(): Awaitable<void>;
  /** Undoes what preparing did. */
  abort(): Awaitable<void>;
}

/** A part of the sidecar that follows the config. */
export interface ConfiguredPart {
  /** Does all that can fail. Rejects (with a UserError where the user can mend it) and leaves everything as it was. */
  prepare(config: Config): Promise<Change>;
}

/** Prepares all parts at once, then commits all in one tick. Rejects with a part's reason, nothing changed. */
export async function applyConfig(parts: readonly ConfiguredPart[], config: Config): Promise<void> {
  const results = await Promise.allSettled(parts.map((part) => part.prepare(config)));
  const changes = results.flatMap((result) => (result.status === "fulfilled" ? [result.value] : []));
  const failed = results.find((result) => result.status === "rejected");
  if (failed !== undefined) {
    await Promise.all(changes.map((change) => change.abort()));
    throw failed.reason;
  }
  await Promise.all(changes.map((change) => change.commit()));
}

export interface ReloadOptions {
  readonly emit: Emit;
  readonly metrics: Metrics;
  /** Reads the config anew. */
  load(): Promise<LoadResult>;
  /** Prepares and commits it; rejects when the old one stays. */
  apply(loaded: Loaded): Promise<void>;
  /** Called after a reload that changed the config: keeps its text, watches its files. */
  applied(loaded: Loaded): Promise<void>;
  /** What the process was started with. */
  readonly started: Config;
}

export class Reload {
  private readonly options: ReloadOptions;
  private running: Promise<boolean> | undefined;
  private queued: Promise<boolean> | undefined;
  private isClosed = false;

  constructor(options: ReloadOptions) {
    this.options = options;
    options.metrics.gauge("outrigger_config_last_reload_successful").set(1);
  }

  /**
   * Reloads; resolves to whether the new config runs. While one reload runs, the next one waits, and all requests
   * that come meanwhile share it: it reads the files after them all.
   */
  request(reason: string): Promise<boolean> {
    if (this.running === undefined) return this.start(reason);
    this.queued ??= this.running.then(() => {
      this.queued = undefined;
      return this.start(reason);
    });
    return this.queued;
  }

  /** No further reloads; resolves when the one that runs has ended. */
  async close(): Promise<void> {
    this.isClosed = true;
    await this.running;
  }

  private start(reason: string): Promise<boolean> {
    if (this.isClosed) return Promise.resolve(false);
    this.running = this.attempt(reason).finally(() => {
      this.running = undefined;
    });
    return this.running;
  }

  /** Never rejects. */
  private async attempt(reason: string): Promise<boolean> {
    try {
      const loaded = await this.options.load();
      if (!loaded.ok) return this.rejected(reason, faultLines(loaded.faults));
      if (this.isClosed) return false;
      await this.options.apply(loaded);
      this.accepted(reason, loaded.config);
      await this.options.applied(loaded);
      return true;
    } catch (error) {
      return this.rejected(reason, [error instanceof UserError ? error.message : `${error}`]);
    }
  }

  private rejected(reason: string, faults: readonly string[]): false {
    this.count("rejected", 0);
    this.options.emit("config_rejected", { reason, faults });
    return false;
  }

  private accepted(reason: string, config: Config): void {
    this.count("applied", 1);
    this.options.emit("config_applied", { reason });
    const keys = keysThatNeedRestart(this.options.started, config);
    if (keys.length > 0) this.options.emit("config_restart_needed", { keys });
  }

  private count(result: "applied" | "rejected", successful: 0 | 1): void {
    this.options.metrics.counter("outrigger_config_reloads_total", { result }).add(1);
    this.options.metrics.gauge("outrigger_config_last_reload_successful").set(successful);
  }
}

/** One line for each fault. */
export function faultLines(faults: readonly Fault[]): string[] {
  return formatFaults(faults).split("\n");
}

/** Keys that are read only once, with what they are. */
const readOnce: Readonly<Record<string, (config: Config) => unknown>> = {
  state: (config) => config.state,
  health: (config) => config.health.text,
  admin: (config) => adminText(config.admin),
  concurrency: (config) => config.concurrency,
  "limits.connections": (config) => config.limits.connections,
  "limits.memory": (config) => JSON.stringify(config.limits.memory),
};

/** The keys whose change takes effect only after a restart. */
export function keysThatNeedRestart(started: Config, next: Config): string[] {
  return Object.keys(readOnce).filter((key) => readOnce[key]!(started) !== readOnce[key]!(next));
}
