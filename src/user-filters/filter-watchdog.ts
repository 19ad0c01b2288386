/** The watchdog, loaded when the first filter is. */
import type { FilterWatch } from "../config/load.ts";
import type { Watchdog, WatchdogOptions } from "./watchdog.ts";
import type { WatchedVersion } from "./watchdog-messages.ts";

export class FilterWatchdog implements FilterWatch {
  private readonly options: WatchdogOptions;
  private watchdog: Watchdog | undefined;
  private isStopped = false;
  /** Pulses of other threads, until there is a watchdog to look at them. */
  private readonly others: SharedArrayBuffer[] = [];

  constructor(options: WatchdogOptions) {
    this.options = options;
  }

  async start(stateFolders: readonly string[]): Promise<void> {
    if (this.watchdog === undefined) {
      const { Watchdog } = await import("./watchdog.ts");
      this.watchdog ??= new Watchdog(this.options);
      for (const memory of this.others.splice(0)) this.watchdog.watch(memory);
    }
    if (this.isStopped) return;
    await this.watchdog.start(stateFolders);
  }

  /** Another thread that may run filters, by its pulse. */
  watch(memory: SharedArrayBuffer): void {
    if (this.watchdog === undefined) this.others.push(memory);
    else this.watchdog.watch(memory);
  }

  tellVersion(version: WatchedVersion): void {
    this.watchdog?.tellVersion(version);
  }

  stop(): void {
    this.isStopped = true;
    this.watchdog?.stop();
  }
}
