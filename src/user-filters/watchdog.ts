/**
 * Main's side of the watchdog: a small thread that notices when a thread stands still in a user's filter. It runs only
 * where there are such filters.
 *
 *   a filter loops --> no beat for 2 s --> the watchdog keeps the version in the state folder, and says so
 *                  --> turns again: the filter is stopped at once
 *                  --> 10 s: the process ends with exit code 70, so that what restarts it does; the version is not run then
 */

import { pulse } from "./pulse.ts";
import type { WatchdogMessage, WatchedVersion } from "./watchdog-messages.ts";

/** A thread without a beat for so long stands still. */
export const stalledMs = 2_000;
/** And the process is ended after so long. */
export const endMs = 10_000;

export interface WatchdogOptions {
  readonly logFormat: "json" | "text";
  readonly logFd: number;
}

export class Watchdog {
  private readonly options: WatchdogOptions;
  private worker: Worker | undefined;
  private started: Promise<void> | undefined;
  private readonly threads: SharedArrayBuffer[] = [];

  constructor(options: WatchdogOptions) {
    this.options = options;
  }

  /** Starts it, once. `stateFolders` are tried in order for what must survive. Resolves when it watches this thread. */
  start(stateFolders: readonly string[]): Promise<void> {
    this.started ??= this.spawn(stateFolders);
    return this.started;
  }

  /** Another thread that runs filters, by the memory of its pulse. */
  watch(memory: SharedArrayBuffer): void {
    this.threads.push(memory);
    this.tell({ type: "watch", memory });
  }

  /** A version is about to be run for the first time. */
  tellVersion(version: WatchedVersion): void {
    this.tell({ type: "version", version });
  }

  stop(): void {
    pulse.stop();
    this.worker?.terminate();
    this.worker = undefined;
  }

  private tell(message: WatchdogMessage): void {
    this.worker?.postMessage(message);
  }

  /** Without a watchdog filters run all the same: it must not keep a sidecar from starting. */
  private spawn(stateFolders: readonly string[]): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const worker = new Worker(new URL("./watchdog-worker.ts", import.meta.url), { smol: true });
    this.worker = worker;
    worker.unref();
    worker.onmessage = () => resolve();
    worker.onerror = () => resolve();
    pulse.start();
    this.tell({ type: "start", stateFolders, stalledMs, endMs, ...this.options });
    for (const memory of [pulse.memory, ...this.threads]) this.tell({ type: "watch", memory });
    return promise;
  }
}
