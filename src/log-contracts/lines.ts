/** What travels from a log input to outputs: where lines come from, runs of them, and the records made of them. */

/** Names and values, as JSON has them. */
export type LogFields = Readonly<Record<string, unknown>>;

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
  /** The mark before one of its records; undefined where there is none, as between records whose lines lie mixed. */
  markBefore?(item: number): Mark | undefined;
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
