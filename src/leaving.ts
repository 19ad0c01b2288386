/** What each part does while the sidecar leaves: the deeds to the lifecycle's words. */
import { AppPresence, type AppSigns } from "./app-presence.ts";
import type { Config } from "./config/schema.ts";
import type { Thread } from "./contracts.ts";
import type { Leaving as Deeds } from "./lifecycle.ts";
import type { Records } from "./records.ts";
import type { Timing } from "./schedules/clock.ts";
import type { Schedules } from "./schedules/schedules.ts";
import type { TrafficPart } from "./traffic-part.ts";

export interface LeavingOptions {
  readonly config: Config;
  readonly parts: { readonly traffic: TrafficPart; readonly schedules: Schedules; readonly records: Records };
  readonly thread: Thread;
  readonly timing: Timing;
  /** Exchanges that have ended, and lines that were read, since the start. */
  readonly seen: Pick<AppSigns, "exchangesEnded" | "linesRead">;
  /** Begins no reload any more; resolves when the last one has ended. */
  quiesce(): Promise<void>;
  /** Ends what the parts report to: after it nothing can be said. */
  close(): void;
}

const lookEveryMs = 50;

/** Of the time to stop: kept for what comes after the log worker. */
const afterRecordsMs = 250;

export class Leaving implements Deeds {
  /** The config that runs now. */
  config: Config;
  /** False when nothing is waited for but what already runs. */
  waitsForApp = true;
  private readonly options: LeavingOptions;
  private presence: AppPresence | undefined;
  private quiesced: Promise<void> | undefined;
  /** Monotonic time by which everything has to be stopped. */
  private stopBy = Number.POSITIVE_INFINITY;
  private isDraining = false;

  constructor(options: LeavingOptions) {
    this.config = options.config;
    this.options = options;
  }

  graceMs(): number {
    return this.config.shutdown.graceMs;
  }

  announce(): void {
    this.options.thread.metrics.gauge("outrigger_draining").set(1);
    this.options.parts.traffic.announce();
  }

  recant(): void {
    this.options.thread.metrics.gauge("outrigger_draining").set(0);
    this.options.parts.traffic.recant();
  }

  quiesce(): void {
    this.quiesced = this.options.quiesce();
    this.options.parts.schedules.stop();
  }

  isUnneeded(): boolean {
    this.app.needsUs(this.config); // what it does from now on counts, so that a quiet one is not waited for twice
    return this.config.inbound.length === 0 || this.app.portsAreClosed(this.config);
  }

  /** What is seen of the app since the stop began. */
  private get app(): AppPresence {
    const { timing, seen } = this.options;
    this.presence ??= new AppPresence({ clock: timing.clock, running: () => this.running(), ...seen });
    return this.presence;
  }

  running(): number {
    return this.options.parts.traffic.active.exchanges;
  }

  async settle(deadlineMs: number): Promise<void> {
    const { traffic, schedules } = this.options.parts;
    const until = this.options.timing.clock.now() + deadlineMs;
    const [, { cut }] = await Promise.all([traffic.drain(deadlineMs), schedules.drain(deadlineMs)]);
    if (cut > 0) this.options.thread.emit("schedules_cut", { count: cut });
    await this.quiet(until);
  }

  async stop(deadlineMs: number): Promise<void> {
    const { traffic, schedules, records } = this.options.parts;
    const { clock } = this.options.timing;
    this.stopBy = Math.min(this.stopBy, clock.now() + deadlineMs);
    const leftMs = () => Math.max(0, this.stopBy - clock.now());
    if (this.quiesced === undefined) this.quiesce();
    schedules.stop();
    await this.attempt("reload", this.quiesced!, leftMs() / 2);
    await this.attempt("traffic", (async () => await traffic.stop())(), leftMs());
    const forRecordsMs = Math.max(0, leftMs() - afterRecordsMs);
    this.isDraining = true;
    await this.attempt("log worker", records.drain(forRecordsMs), forRecordsMs + afterRecordsMs);
    await this.attempt("log worker", records.stop(), afterRecordsMs);
    this.options.close();
  }

  hurry(deadlineMs: number): void {
    const { timing, parts } = this.options;
    this.stopBy = Math.min(this.stopBy, timing.clock.now() + deadlineMs);
    // A second call ends the first, the checkpoint written.
    if (this.isDraining) void this.attempt("log worker", parts.records.drain(0), deadlineMs);
  }

  /** The calls of the app go through us until the end, and so do requests of those who do not know yet that we leave. */
  private async quiet(until: number): Promise<void> {
    const { clock } = this.options.timing;
    while (this.waitsForApp && this.app.needsUs(this.config) && clock.now() < until) await this.sleep(lookEveryMs);
  }

  /** Waits for it, but not beyond the deadline; what goes wrong is said, and the next part's turn comes. */
  private async attempt(part: string, deed: Promise<void>, deadlineMs: number): Promise<void> {
    const late = Promise.withResolvers<void>();
    const tooLate = () => late.reject(new Error(`it took longer than ${Math.round(deadlineMs)} ms`));
    const cancel = this.options.timing.after(deadlineMs, tooLate);
    try {
      await Promise.race([deed, late.promise]);
    } catch (error) {
      this.options.thread.emit("part_not_stopped", { part, error });
    }
    cancel();
  }

  private sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => void this.options.timing.after(delayMs, resolve));
  }
}
