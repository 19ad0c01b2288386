/** What main and a thread that carries traffic say to each other. Plain data: it is copied from thread to thread. */
import type { Config } from "../config/schema.ts";
import type { Level } from "../events.ts";
import type { Series } from "../metrics.ts";
import type { Refusal } from "./refusal.ts";

/** Memory that a worker shares with main, or with all others. */
export interface SharedMemory {
  /** `ConnectionLimit`, one for all. */
  readonly connections: SharedArrayBuffer;
  /** One float64: resident bytes of the process, measured by main; one for all. */
  readonly resident: SharedArrayBuffer;
  /** `ownCalls`, one for all. */
  readonly calls: SharedArrayBuffer;
  /** `Pulse`. */
  readonly pulse: SharedArrayBuffer;
  /** The pulse of user-filters/pulse.ts. */
  readonly filters: SharedArrayBuffer;
  /** `RecordRing` of lines for the own log. */
  readonly lines: SharedArrayBuffer;
  /** `RecordRing` of access records. */
  readonly records: SharedArrayBuffer;
}

export interface WorkerLimits {
  readonly maxConnections: number;
  readonly memoryLimitBytes: number;
}

/** How events become lines. */
export interface LogManner {
  readonly format: "json" | "text";
  readonly level: Level;
  readonly strict: boolean;
}

/** The first message. */
export interface StartMessage {
  readonly type: "start";
  /** Counted from 1. */
  readonly number: number;
  readonly limits: WorkerLimits;
  readonly log: LogManner;
  readonly memory: SharedMemory;
}

/** Answered once it is done. A preparation is ended by exactly one of commit and abort. */
export type Request =
  | {
      readonly type: "prepare";
      readonly config: Config;
      /** The port to bind, by `listenerKey`: main has found each to be free. */
      readonly ports: ReadonlyMap<string, number>;
    }
  | { readonly type: "commit" }
  | { readonly type: "abort" }
  | { readonly type: "drain"; readonly withinMs: number }
  | { readonly type: "stop" };

/** Main to worker. */
export type ToWorker =
  | StartMessage
  | { readonly type: "announce" }
  | { readonly type: "recant" }
  | { readonly type: "request"; readonly id: number; readonly request: Request };

/** Worker to main. `rings`: something waits in a ring. */
export type ToMain =
  | { readonly type: "metrics"; readonly memory: SharedArrayBuffer }
  | { readonly type: "series"; readonly series: Series }
  | { readonly type: "rings" }
  | {
      readonly type: "answer";
      readonly id: number;
      /** Of a drain: exchanges that were still running. */
      readonly cut: number;
      readonly refusal?: Refusal;
    };
