/** What is done to log lines on their way: the shape of log-transforms/. */
import type { DropInDefinition, Thread } from "../contracts.ts";
import type { LogRecord } from "./lines.ts";

/** Changes a record in place; false leaves it out, which is counted. Keeps nothing from one record to the next. */
export interface RecordTransform {
  apply(record: LogRecord): boolean;
}

/**
 * Makes one record of several. What waits for more lines is its state, one per source and output; the position stays
 * before the first record that waits, so nothing is lost with the state.
 */
export interface JoinTransform<S = unknown> {
  start(): S;
  /** A copy that is independent of what happens to the state later. */
  copy(state: S): S;
  /** Takes the next record of the source and emits those that are complete now. */
  take(state: S, record: LogRecord, emit: (record: LogRecord) => void): void;
  /** Called after the last line of a block: emits what looks complete already and need not wait for the next block. */
  settle?(state: S, emit: (record: LogRecord) => void): void;
  /** Emits what waits: the source is quiet, ended, or the collector stops. */
  flush(state: S, emit: (record: LogRecord) => void): void;
  /** The records that wait, oldest first. Without any, the state is as good as a new one. */
  waiting(state: S): readonly LogRecord[];
  /** Milliseconds without a new line after which what waits is complete. */
  readonly quietMs: number;
}

export type LogTransform = RecordTransform | JoinTransform;

export interface LogTransformContext extends Thread {
  /** Name of the entry in `logs:`. */
  readonly input: string;
  /** What it is counted under in metrics with the labels `input` and `transform`: its own name, `-2` and so on added. */
  readonly transform: string;
}

export interface LogTransformDefinition<C = unknown> extends DropInDefinition<C, LogTransformContext, LogTransform> {
  readonly kind: "log-transform";
}

export function defineLogTransform<C>(definition: Omit<LogTransformDefinition<C>, "kind">): LogTransformDefinition<C> {
  return { kind: "log-transform", ...definition };
}
