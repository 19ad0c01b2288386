/** What main and the log worker say to each other. Plain data: it is copied from thread to thread. */
import type { LogSourceState, RecordStream } from "../contracts.ts";
import type { Series } from "../metrics.ts";
import type { Refusal } from "../workers/refusal.ts";
import type { Leftover } from "./pipeline.ts";
import type { LogEntry } from "./routes.ts";
import type { TapFilter, TapMemory } from "./tap.ts";

/** Everything the worker needs to begin. */
export interface StartMessage {
  readonly type: "start";
  readonly logs: readonly LogEntry[];
  readonly stateDir: string;
  readonly folder: string;
  readonly rings: Readonly<Record<RecordStream, SharedArrayBuffer>>;
  /** Access records of threads that carry traffic beside main. */
  readonly otherRings: readonly SharedArrayBuffer[];
}

/** A question has an id, and its answer the same one. */
export type Question =
  | { readonly type: "reload"; readonly id: number; readonly logs: readonly LogEntry[] }
  | { readonly type: "drain"; readonly id: number; readonly withinMs: number }
  | { readonly type: "state"; readonly id: number }
  | { readonly type: "stop"; readonly id: number };

/** Somebody watches lines, or does not any more. */
export type TapMessage =
  | { readonly type: "tap"; readonly id: number; readonly filter: TapFilter; readonly memory: TapMemory }
  | { readonly type: "untap"; readonly id: number };

/** Main to worker. `records`: a ring is worth looking at. */
export type ToWorker = StartMessage | Question | TapMessage | { readonly type: "records" };

/** Worker to main. `tapped`: the rings of taps are worth looking at. */
export type ToMain =
  | { readonly type: "metrics"; readonly memory: SharedArrayBuffer }
  | { readonly type: "series"; readonly series: Series }
  | { readonly type: "event"; readonly event: string; readonly fields: Record<string, unknown> }
  | { readonly type: "started"; readonly refusal?: Refusal }
  | { readonly type: "tapped" }
  | {
      readonly type: "answer";
      readonly id: number;
      readonly value?: Leftover | LogSourceState[];
      readonly refusal?: Refusal;
    };
