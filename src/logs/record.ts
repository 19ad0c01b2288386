/**
 * Records: what lines are where something has to look into them. A line that nothing changes stays the bytes it was
 * read as, whatever was looked at.
 */
import { isAscii } from "node:buffer";
import type { Block, LogRecord, LogSource, Mark, Severity } from "../contracts.ts";

/** A record that began as a line of a block. */
export class LineRecord implements LogRecord {
  readonly source: LogSource;
  readonly offset: number;
  fields: Record<string, unknown> | undefined = undefined;
  time: bigint | undefined = undefined;
  severity: Severity | undefined = undefined;
  private line: Uint8Array | undefined;
  private written: string | undefined = undefined;

  /** `line` is without its newline; it may be a view into the block's memory. */
  constructor(source: LogSource, offset: number, line: Uint8Array) {
    this.source = source;
    this.offset = offset;
    this.line = line;
  }

  get text(): string {
    this.written ??= this.line === undefined ? "" : textOf(this.line);
    return this.written;
  }

  set text(text: string) {
    this.written = text;
    this.line = undefined;
  }

  /** The line's own bytes, as long as nobody changed its text. */
  get unchanged(): Uint8Array | undefined {
    return this.line;
  }

  /** Lets go of the block's memory: the record will outlive the block. */
  detach(): void {
    this.text = this.text;
  }
}

/** A line as text. What is no UTF-8 becomes U+FFFD; the bytes themselves are kept beside it. */
export function textOf(line: Uint8Array): string {
  const { buffer, byteOffset, length } = line;
  const bytes = Buffer.from(buffer, byteOffset, length);
  return bytes.toString(isAscii(bytes) ? "latin1" : "utf8");
}

const newline = 10;
const carriageReturn = 13;

/** Calls `each` with the place of every line in `bytes`: its first byte, and its end without newline. */
export function eachLine(bytes: Uint8Array, each: (start: number, end: number) => void): void {
  for (let start = 0; start < bytes.length; ) {
    const found = bytes.indexOf(newline, start);
    const end = found < 0 ? bytes.length : found;
    each(start, end);
    start = end + 1;
  }
}

/** The records of a block: its own, or one for each of its lines, the CR of a CRLF left out. */
export function recordsOf(block: Block): readonly LogRecord[] {
  if (block.records !== undefined) return block.records;
  const records: LogRecord[] = [];
  const { bytes, source, start: offset } = block;
  eachLine(bytes, (start, end) => {
    const isCrlf = end > start && bytes[end - 1] === carriageReturn;
    records.push(new LineRecord(source, offset + start, bytes.subarray(start, isCrlf ? end - 1 : end)));
  });
  return records;
}

/** A record as an output of lines writes it: its text, or its fields and those of its source as one JSON object. */
export function lineOf(record: LogRecord): string {
  return record.fields === undefined ? record.text : JSON.stringify({ ...record.source.fields, ...record.fields });
}

/** Records as lines, each ended by a newline. */
export function linesOf(records: readonly LogRecord[]): Uint8Array {
  const parts: Uint8Array[] = [];
  let text = "";
  for (const record of records) {
    const unchanged = record instanceof LineRecord && record.fields === undefined ? record.unchanged : undefined;
    if (unchanged === undefined) text += `${lineOf(record)}\n`;
    else {
      if (text !== "") parts.push(Buffer.from(text));
      parts.push(unchanged);
      text = "\n";
    }
  }
  if (text !== "") parts.push(Buffer.from(text));
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}

/** Where a block of records comes from. */
export interface RecordOrigin {
  readonly source: LogSource;
  readonly start: number;
  readonly mark: Mark;
  readonly heldBytes: number;
  /** Bytes of the source, up to `mark`, of records that a rule left out. */
  readonly droppedBytes?: number | undefined;
  /** Given back together with this one. */
  readonly block?: Block | undefined;
}

/** What transforms made of a block: some records, or none where all of them were dropped or wait for more lines. */
export class RecordBlock implements Block {
  readonly source: LogSource;
  readonly records: readonly LogRecord[];
  readonly start: number;
  readonly mark: Mark;
  readonly heldBytes: number;
  readonly droppedBytes: number | undefined;
  private readonly block: Block | undefined;
  private written: Uint8Array | undefined;

  constructor(records: readonly LogRecord[], origin: RecordOrigin) {
    this.records = records;
    this.source = origin.source;
    this.start = origin.start;
    this.mark = origin.mark;
    this.heldBytes = origin.heldBytes;
    this.droppedBytes = origin.droppedBytes;
    this.block = origin.block;
  }

  get bytes(): Uint8Array {
    this.written ??= linesOf(this.records);
    return this.written;
  }

  get count(): number {
    return this.records.length;
  }

  get size(): number {
    return this.end - this.start;
  }

  get end(): number {
    return this.mark.offset;
  }

  markAt(): Mark {
    throw new Error("a block of records has no places");
  }

  release(): void {
    this.block?.release?.();
  }
}
