/**
 * The shapes of log-inputs/, log-transforms/ and log-outputs/; `contracts.ts` hands them on.
 *
 *   input.turn() -> Block -> lane.offer() -> transforms -> batch -> output.deliver() -> input.acknowledged() -> checkpoint
 *
 * All of it runs in the log worker. Lines travel as blocks of bytes; only where an entry has transforms are records
 * made of them, and nothing else here is called once per line.
 */
import type { ZodType } from "zod";
import type { Awaitable, EventDeclaration, MetricDeclaration, Thread } from "./contracts.ts";

/** Names and values, as JSON has them. */
export type LogFields = Readonly<Record<string, unknown>>;

// ---------------------------------------------------------------------------------------------
// What travels

/** What lines are read from: one content of one file under all its names. */
export interface LogSource {
  /** Made at first sight; stays through renames and restarts. A file whose content was replaced is a new source. */
  readonly id: string;
  /** Name of the entry in `logs:` it was found by; `-` for records of our own. */
  readonly input: string;
  /** For people: the path it has now. */
  readonly path: string;
  /** What the entry says of all its records: static fields and those of the pod. Another object when it changed: read it each time. */
  readonly fields: LogFields;
  /** True when nothing more is expected of it: a file that was rotated away or deleted. */
  readonly isFinal?: boolean;
  /** Bytes that are known to be there and were not offered to this output. */
  unreadFor?(output: string): number;
}

/** A place in a source up to which an output can be done. Only the input that made it looks into it. */
export interface Mark {
  /** In bytes of the source. */
  readonly offset: number;
}

/** A run of whole lines, or of records, of one source. */
export interface Block {
  readonly source: LogSource;
  /**
   * Its lines, each ended by a newline; nothing where every record was dropped. For records they are written out when
   * this is first read: text that no transform parsed as it is, parsed fields as one JSON object a line.
   * Must not be changed, nor read after the block was acknowledged.
   */
  readonly bytes: Uint8Array;
  /** Lines in `bytes`, or records: what a batch counts, and what `Rejection.item` counts. */
  readonly count: number;
  /** What it counts for in a batch, in bytes; known without writing anything out. */
  readonly size: number;
  /** What transforms made of the lines; undefined where the entry has none and lines go as they are. */
  readonly records?: readonly LogRecord[] | undefined;
  /** Offset of the first byte in the source. */
  readonly start: number;
  /** Offset up to which the source is done once this block is. Not `start + bytes.length` where a line was cut. */
  readonly end: number;
  /** The same as a mark, for `acknowledged`. */
  readonly mark: Mark;
  /** The mark of a line that begins at this place of `bytes`; only of a block without records. */
  markAt(place: number): Mark;
  /** Memory that stays taken until the block is acknowledged, in bytes. */
  readonly heldBytes: number;
  /** Bytes of the source, of those between `start` and `end`, that a rule left out on purpose. Default: none. */
  readonly droppedBytes?: number | undefined;
  /** One output is done with it: called once by each, after the acknowledgement. */
  release?(): void;
}

/** One record: a line, or several that belong together, and what is known of it. Transforms change it in place. */
export interface LogRecord {
  readonly source: LogSource;
  /** Offset of its first byte in the source: with `source.id` its identity, through retries and restarts. */
  readonly offset: number;
  /** As it was written, lines joined by newlines, without the last newline. Not touched by parsing. */
  text: string;
  /** What parsing made of it. While it is undefined the text is the record. */
  fields: Record<string, unknown> | undefined;
  /** Nanoseconds since the Unix epoch, where a transform found the time of writing. */
  time: bigint | undefined;
  severity: Severity | undefined;
  /** Which stream of a container it was written to, where a transform found that out; lines are joined by stream. */
  stream?: string | undefined;
  /** True when it was ended because it had reached the most lines or bytes: what follows is a record of its own. */
  isCut?: boolean;
}

/** The six levels all destinations can express. */
export type Severity = "trace" | "debug" | "info" | "warn" | "error" | "fatal";

/** Blocks that one output is given at once, in order. A retry brings the same object again. */
export interface Batch {
  readonly blocks: readonly Block[];
  /** Sum of `size`. */
  readonly bytes: number;
  /** Sum of `count`. Items are numbered over all blocks, from 0. */
  readonly count: number;
}

// ---------------------------------------------------------------------------------------------
// Outputs

/** One item of a batch that the destination will never take. It goes to the dead letters. */
export interface Rejection {
  /** Number of the line or record within the batch. */
  readonly item: number;
  /** In the destination's own words, where it says something. */
  readonly reason: string;
}

/**
 * Why a batch comes again, as metrics tell it: the destination asked for fewer (429), is not well (5xx), cannot be
 * reached, did not answer in time, does not let us in (401, 403), or something else.
 */
export type RetryCause = "throttled" | "unavailable" | "unreachable" | "timeout" | "forbidden" | "other";

/**
 * What became of a batch; only what is settled moves the checkpoint.
 *
 * - `delivered`: the destination has it for good, but for items it rejected.
 * - `retry`: it comes again after `afterMs` (what the destination asked for) or a growing pause: whole, or only the
 *   items of `only`, while all others are delivered or rejected.
 * - `refused`: the destination will never take this batch. The queue halves it to find out which items are meant.
 * - `tooLarge`: it comes again in halves; an item that is too large alone is rejected.
 *
 * A `deliver` that throws is a retry.
 */
export type Delivery =
  | { readonly outcome: "delivered"; readonly rejected?: readonly Rejection[] }
  | {
      readonly outcome: "retry";
      readonly reason: string;
      /** Default: `other`. */
      readonly cause?: RetryCause;
      readonly afterMs?: number;
      readonly only?: readonly number[];
      readonly rejected?: readonly Rejection[];
    }
  | { readonly outcome: "refused"; readonly reason: string }
  | { readonly outcome: "tooLarge"; readonly reason: string };

/** When a batch is closed: at the first of the three. */
export interface BatchLimits {
  /** Bytes of lines; one block may be larger. */
  readonly bytes: number;
  /** Lines or records; one block may have more. */
  readonly lines: number;
  /** Age of the oldest block, in milliseconds; 0 delivers what there is. */
  readonly ageMs: number;
}

/** Where lines go. */
export interface LogOutput {
  /** Called with the next batch only after the one before has been settled. Must keep the order of blocks. */
  deliver(batch: Batch): Promise<Delivery>;
  /** What suits the destination where the configuration says nothing. Default: 1 MiB, any number of lines, no age. */
  readonly batch?: Partial<BatchLimits>;
  /** Frees what `create` took. Called once, with no batch under way or after `signal` was aborted. */
  close?(): Awaitable<void>;
}

export interface LogOutputContext extends Thread {
  /** The output's name: unique, part of the checkpoint's key. */
  readonly name: string;
  /** The folder relative paths start from. */
  readonly folder: string;
  /** Aborted when the time for draining is over: a batch under way should give up. */
  readonly signal: AbortSignal;
  /** The process's fd 1, whose only writer is the log worker. Resolves when all bytes were taken, however slowly. */
  readonly stdout: { write(bytes: Uint8Array): Promise<void> };
}

export interface LogOutputDefinition<C = unknown> {
  readonly kind: "log-output";
  /** The file's name, a noun: `stdout`. */
  readonly name: string;
  readonly doc: string;
  readonly config: ZodType<C>;
  readonly events?: Record<string, EventDeclaration>;
  readonly metrics?: Record<string, MetricDeclaration>;
  /** Says in a sentence what these options do; `doc` is used where it is missing. */
  explain?(config: C): string;
  /** Absolute paths of files it writes, places filled in with samples: an entry must not collect what it wrote itself. */
  writes?(config: C, folder: string): Awaitable<readonly string[]>;
  create(config: C, context: LogOutputContext): Awaitable<LogOutput>;
}

export function defineLogOutput<C>(definition: Omit<LogOutputDefinition<C>, "kind">): LogOutputDefinition<C> {
  return { kind: "log-output", ...definition };
}

// ---------------------------------------------------------------------------------------------
// Transforms

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

export interface LogTransformDefinition<C = unknown> {
  readonly kind: "log-transform";
  /** The file's name, a verb: `parse`. */
  readonly name: string;
  readonly doc: string;
  readonly config: ZodType<C>;
  readonly events?: Record<string, EventDeclaration>;
  readonly metrics?: Record<string, MetricDeclaration>;
  /** Says in a sentence what these options do; `doc` is used where it is missing. */
  explain?(config: C): string;
  create(config: C, context: LogTransformContext): Awaitable<LogTransform>;
}

export function defineLogTransform<C>(definition: Omit<LogTransformDefinition<C>, "kind">): LogTransformDefinition<C> {
  return { kind: "log-transform", ...definition };
}

// ---------------------------------------------------------------------------------------------
// Inputs

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
  /** `active`, `rotated`, `deleted`, or why it is not read. */
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

/** Where lines come from. The pipeline calls it; it starts no timers of its own. */
export interface LogInput {
  /** Reads what is there within its quota and offers it to lanes with room. Returns the milliseconds until it wants the next turn. */
  turn(): number;
  /** Looks for everything new in the next turn, however recent the last look was. */
  look(): void;
  /** The output is done with the source up to `block.mark`. In the order of `offer`, per source and output. */
  acknowledged(block: Pick<Block, "source" | "start" | "end" | "mark">, output: string): void;
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

export interface LogInputDefinition<C = unknown> {
  readonly kind: "log-input";
  /** The file's name, a noun: `files`. */
  readonly name: string;
  readonly doc: string;
  readonly config: ZodType<C>;
  readonly events?: Record<string, EventDeclaration>;
  readonly metrics?: Record<string, MetricDeclaration>;
  /** Says in a sentence what these options do; `doc` is used where it is missing. */
  explain?(config: C): string;
  /** Whether it would read a file of that path, now or once there is one. */
  reads?(config: C, folder: string, path: string): Awaitable<boolean>;
  create(config: C, context: LogInputContext): Awaitable<LogInput>;
}

export function defineLogInput<C>(definition: Omit<LogInputDefinition<C>, "kind">): LogInputDefinition<C> {
  return { kind: "log-input", ...definition };
}
