/**
 * Notices that a file of the config changed: the file itself, one it refers to, or the `..data` symlink of a mounted
 * ConfigMap or Secret, whose swap gives every file below it another inode.
 *
 *   four times a second: stat each file --> different? --> again every 100 ms until it stays the same --> changed
 *
 * Polling, because it works alike on every volume (inotify says nothing on some network file systems, and watches on a
 * file are lost when it is replaced), and because a few stats a second cost microseconds.
 */
import { statSync } from "node:fs";
import type { Clock } from "../contracts.ts";

export interface WatchOptions {
  readonly clock: Clock;
  /** Default 250 ms. */
  readonly pollMs?: number;
  /** A file that is being written is left alone until it was the same for so long. Default 100 ms. */
  readonly settleMs?: number;
  /** But not for longer than this. Default 10 s. */
  readonly settleAtMostMs?: number;
}

export class ConfigWatch {
  private readonly options: Required<WatchOptions>;
  private listener: (() => void) | undefined;
  private isUntold = false;
  /** What was last seen of each file. */
  private seen = new Map<string, string>();
  private unsettledSince: number | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(options: WatchOptions) {
    this.options = { pollMs: 250, settleMs: 100, settleAtMostMs: 10_000, ...options };
  }

  /** Called each time files changed and have settled; at once when they did so before anybody was there to be told. */
  set changed(listener: () => void) {
    this.listener = listener;
    if (!this.isUntold) return;
    this.isUntold = false;
    listener();
  }

  /**
   * A file is about to be read, as it is now: a change from now on is noticed, one that came before is known.
   * It is watched until `watch` is called without it.
   */
  note(file: string): void {
    this.seen.set(file, lookOf(file));
  }

  /** Sets the files to watch, from now on; what was seen of those already watched is kept. */
  watch(files: readonly string[]): void {
    this.seen = new Map(files.map((file) => [file, this.seen.get(file) ?? lookOf(file)]));
    if (this.timer === undefined) this.sleep(this.options.pollMs);
  }

  stop(): void {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.seen.clear();
  }

  private sleep(delayMs: number): void {
    this.timer = setTimeout(() => this.look(), delayMs);
    this.timer.unref();
  }

  private look(): void {
    const { pollMs, settleMs } = this.options;
    const differs = this.takeDifferences();
    if (differs) this.unsettledSince ??= this.options.clock.now();
    const isSettling = differs && !this.hasWaitedEnough();
    this.sleep(isSettling ? settleMs : pollMs);
    if (isSettling || this.unsettledSince === undefined) return;
    this.unsettledSince = undefined;
    if (this.listener === undefined) this.isUntold = true;
    else this.listener();
  }

  private hasWaitedEnough(): boolean {
    return this.options.clock.now() - this.unsettledSince! >= this.options.settleAtMostMs;
  }

  /** True when a file is not what it was at the last look. */
  private takeDifferences(): boolean {
    let differs = false;
    for (const [file, before] of this.seen) {
      const now = lookOf(file);
      if (now === before) continue;
      this.seen.set(file, now);
      differs = true;
    }
    return differs;
  }
}

/** Follows symlinks. A file that is not there looks like one, too. */
function lookOf(file: string): string {
  try {
    const { dev, ino, size, mtimeMs } = statSync(file);
    return `${dev} ${ino} ${size} ${mtimeMs}`;
  } catch {
    return "absent";
  }
}
