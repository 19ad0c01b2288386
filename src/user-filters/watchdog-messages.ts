/** What main tells the watchdog's thread. */

/** A version of a filter, as it is named when it made a thread stand still. */
export interface WatchedVersion {
  /** What stands in the cells of `pulse.ts`. */
  readonly number: number;
  readonly hash: string;
  readonly name: string;
  /** Absolute path of the TypeScript file. */
  readonly file: string;
}

export interface WatchdogStart {
  readonly type: "start";
  /** Where a version may be kept, in this order. */
  readonly stateFolders: readonly string[];
  readonly stalledMs: number;
  readonly endMs: number;
  readonly logFormat: "json" | "text";
  readonly logFd: number;
}

export type WatchdogMessage =
  | WatchdogStart
  | { readonly type: "watch"; readonly memory: SharedArrayBuffer }
  | { readonly type: "version"; readonly version: WatchedVersion };
