/** Where log lines come from: the shape of log-inputs/, and what the pipeline gives to an input. */
import type { Awaitable, DropInDefinition, Thread } from "../contracts.ts";
import type { Block, LogFields } from "./lines.ts";

/** The way from one input to one output. */
export interface Lane {
  /** Name of the output. */
  readonly output: string;
  /** Bytes that may be offered now; nothing must be offered at 0 or below. The last block may go over it. */
  readonly room: number;
  offer(block: Block): void;
}

/** Something a checkpoint keeps. `save` is called at each write and returns plain data for JSON. */
export interface CheckpointSection {
  save(): unknown;
}

/** What survives a restart. */
export interface Checkpoint {
  /** The section of that name, revived from what was saved (undefined the first time); the same object for all who ask. */
  section<T extends CheckpointSection>(name: string, revive: (saved: unknown) => T): T;
  /** Says that something changed, and how many bytes were acknowledged with it: decides when to write. */
  touch(acknowledgedBytes: number): void;
  /** Asks for a write at the end of this turn. */
  hasten(): void;
}

/** One source as `state()` and the admin pages show it. */
export interface LogSourceState {
  readonly id: string;
  readonly input: string;
  readonly path: string;
  /** `live`, `rotated`, `deleted`, `idle` (closed until it grows), `archive`, or the error code it cannot be read for. */
  readonly state: string;
  readonly sizeBytes: number;
  readonly outputs: Readonly<Record<string, OutputProgress>>;
}

/** How far one output has a source. */
export interface OutputProgress {
  /** Offset up to which it was read, and up to which the output has it for good. */
  readonly readBytes: number;
  readonly acknowledgedBytes: number;
  /** Milliseconds since the oldest byte was read that is not acknowledged; 0 or absent where there is none. */
  readonly waitingMs?: number;
}

/** What an input is asked to add up, about once a second, without making anything for each source. */
export interface LogMeasure {
  /** There is a source in this state; one of few words. */
  file(state: string): void;
  /**
   * An output is behind with a source: bytes it was not offered, bytes it was and has not acknowledged, and the
   * monotonic time at which the oldest of these was read.
   */
  behind(output: string, unreadBytes: number, unacknowledgedBytes: number, oldestMs: number | undefined): void;
}

/** What an output is done with: a block, or what must be known of one once its bytes are gone. */
export type Acknowledged = Pick<Block, "source" | "start" | "end" | "mark">;

/** Where lines come from. The pipeline calls it; it starts no timers of its own. */
export interface LogInput {
  /** Reads what is there within its quota and offers it to lanes with room. Returns the milliseconds until it wants the next turn. */
  turn(): number;
  /** Looks for everything new in the next turn, however recent the last look was. */
  look(): void;
  /** The output is done with the source up to `block.mark`. In the order of `offer`, per source and output. */
  acknowledged(block: Acknowledged, output: string): void;
  /** Bytes that are known to exist and were not offered to the lane that is furthest behind. */
  unread(): number;
  /** End of the drain: offers the last lines that no newline ended, where there are such. */
  finish(): void;
  state(): LogSourceState[];
  /** Adds up how far outputs are behind. Inputs without sources that are behind need none. */
  measure?(measure: LogMeasure): void;
  close(): void;
}

export interface LogInputContext extends Thread {
  /** Name of the entry in `logs:`. */
  readonly name: string;
  /** The folder relative paths start from. */
  readonly folder: string;
  /** The sidecar's own folder for what must survive a restart; to be made below it, under the entry's name. */
  readonly stateFolder: string;
  /** For `LogSource.fields`; may change: read it each time. */
  readonly fields: LogFields;
  /** One per output. */
  readonly lanes: readonly Lane[];
  readonly checkpoint: Checkpoint;
}

export interface LogInputDefinition<C = unknown> extends DropInDefinition<C, LogInputContext, LogInput> {
  readonly kind: "log-input";
  /** Whether it would read a file of that path, now or once there is one. */
  reads?(config: C, folder: string, path: string): Awaitable<boolean>;
}

export function defineLogInput<C>(definition: Omit<LogInputDefinition<C>, "kind">): LogInputDefinition<C> {
  return { kind: "log-input", ...definition };
}
