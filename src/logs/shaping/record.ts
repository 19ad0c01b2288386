/**
 * Records: what lines are where something has to look into them. A line that nothing changes stays the bytes it was
 * read as, whatever was looked at.
 */
import type { Block, LogRecord, LogSource, Mark } from "../../contracts.ts";
import { LineRecord } from "./line-record.ts";
import { asBuffer } from "./line-text.ts";
import { linesOf } from "./record-lines.ts";

export { LineRecord } from "./line-record.ts";
export { textOf } from "./line-text.ts";
export { lineOf, linesOf } from "./record-lines.ts";

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
  const records: LineRecord[] = [];
  const { source } = block;
  const bytes = asBuffer(block.bytes);
  const isSame = bytes.length === block.end - block.start;
  eachLine(bytes, (start, end) => {
    const isCrlf = end > start && bytes[end - 1] === carriageReturn;
    // Of a file that is not UTF-8, places in the text are not those in the file.
    const offset = isSame ? block.start + start : block.markAt(start).offset;
    const record = new LineRecord(source, offset, bytes, start, isCrlf ? end - 1 : end);
    if (isCrlf) record.span++;
    records.push(record);
  });
  if (!isSame)
    for (const [at, record] of records.entries()) record.span = (records[at + 1]?.offset ?? block.end) - record.offset;
  return records;
}

/** Bytes of the source a record was made of; NaN where that is not known. */
function spanOf(record: LogRecord): number {
  return record instanceof LineRecord ? record.span : Number.NaN;
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

  /**
   * There is one where what comes before the record are the records before it and nothing else: bytes that were dropped
   * lie nobody knows where, and of records whose lines lie mixed one may go on behind it.
   */
  markBefore(item: number): Mark | undefined {
    const { block } = this;
    const record = this.records[item];
    if (!(record instanceof LineRecord) || block === undefined || block.records !== undefined) return undefined;
    const offset = this.records.slice(0, item).reduce((end, one) => end + spanOf(one), this.start);
    if (offset !== record.offset || offset < block.start || offset > this.end) return undefined;
    const mark = block.markAt(record.beginning);
    return mark.offset === offset ? mark : undefined;
  }

  release(): void {
    this.block?.release?.();
  }
}
