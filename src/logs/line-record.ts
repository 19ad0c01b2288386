/** A record that began as a line: bytes in its block's memory for as long as nothing changes it. */
import { isAscii } from "node:buffer";
import type { LogRecord, LogSource, Severity } from "../contracts.ts";

const newline = 10;
const nothing = Buffer.alloc(0);

/** A record that began as a line of a block, or as several that lie side by side. */
export class LineRecord implements LogRecord {
  readonly source: LogSource;
  readonly offset: number;
  fields: Record<string, unknown> | undefined = undefined;
  severity: Severity | undefined = undefined;
  stream: string | undefined = undefined;
  isCut = false;
  /** Bytes of the source it was made of, line ends included. */
  span: number;
  /** Where it began in the bytes of its block, for the mark before it. */
  readonly beginning: number;
  private memory: Buffer;
  private start: number;
  private end: number;
  private written: string | undefined = undefined;
  private isMemory = true;
  private isFields = false;
  private knownTime: bigint | undefined = undefined;
  /** What says the time, and who reads it: most outputs of lines never ask. */
  private timeValue: unknown = undefined;
  private timeReader: ((value: unknown) => bigint | undefined) | undefined = undefined;

  /** The line is `memory` from `start` to `end`, without its newline; the memory is that of its block. */
  constructor(
    source: LogSource,
    offset: number,
    memory: Uint8Array,
    start = 0,
    end = memory.length,
    beginning = start,
  ) {
    this.source = source;
    this.offset = offset;
    this.memory = asBuffer(memory);
    this.start = start;
    this.end = end;
    this.span = end - start + 1;
    this.beginning = beginning;
  }

  get time(): bigint | undefined {
    if (this.timeReader !== undefined) {
      this.knownTime = this.timeReader(this.timeValue) ?? this.knownTime;
      this.timeReader = undefined;
    }
    return this.knownTime;
  }

  set time(time: bigint | undefined) {
    this.knownTime = time;
    this.timeReader = undefined;
  }

  /** Has its time read from a value when it is first asked for. A value that is none leaves the time as it was. */
  readTimeLater(value: unknown, reader: (value: unknown) => bigint | undefined): void {
    void this.time;
    this.timeValue = value;
    this.timeReader = reader;
  }

  get text(): string {
    this.written ??= this.isFields ? JSON.stringify(this.fields ?? {}) : decoded(this.memory, this.start, this.end);
    return this.written;
  }

  /** The text, not kept: for who needs it once. A block of lines would hold all of it a second time. */
  peek(): string {
    return this.written ?? (this.isMemory ? decoded(this.memory, this.start, this.end) : this.text);
  }

  set text(text: string) {
    this.isFields = false;
    this.written = text;
    this.isMemory = false;
    this.memory = nothing;
    this.start = 0;
    this.end = 0;
  }

  /** Forgets how it was written: its text is what its fields say, made when somebody asks for it. */
  forgetText(): void {
    this.text = "";
    this.written = undefined;
    this.isFields = true;
  }

  /** The line's own bytes, as long as nobody changed its text. */
  get unchanged(): Uint8Array | undefined {
    return this.isMemory ? this.memory.subarray(this.start, this.end) : undefined;
  }

  /** Where its own bytes lie; undefined once its text was changed. */
  get place(): { readonly memory: Buffer; readonly start: number; readonly end: number } | undefined {
    return this.isMemory ? { memory: this.memory, start: this.start, end: this.end } : undefined;
  }

  /** The record itself if it is one of lines; else one that says the same. */
  static of(record: LogRecord): LineRecord {
    if (record instanceof LineRecord) return record;
    const made = new LineRecord(record.source, record.offset, nothing);
    return Object.assign(made, record, { text: record.text });
  }

  /** A byte of the text as it was read, for a first look that needs no text; undefined beyond its end. */
  byteAt(index: number): number | undefined {
    if (!this.isMemory) return asByte(this.text.charCodeAt(index));
    return this.start + index < this.end ? this.memory[this.start + index] : undefined;
  }

  /** The first characters of the text, `count` bytes of it at the most; for what begins in ASCII. */
  begin(count: number): string {
    if (!this.isMemory) return this.text.slice(0, count);
    return this.memory.toString("latin1", this.start, Math.min(this.end, this.start + count));
  }

  /** Takes the first `count` bytes off the text, which must be ASCII. */
  skip(count: number): void {
    if (!this.isMemory) {
      this.text = this.text.slice(count);
      return;
    }
    this.start = Math.min(this.end, this.start + count);
    this.written = undefined;
  }

  /** Lets go of the block's memory: the record will outlive the block. */
  detach(): void {
    this.text = this.text;
  }

  /** A record that may be changed without this one being changed. */
  clone(): LineRecord {
    const copy = new LineRecord(this.source, this.offset, this.memory, this.start, this.end, this.beginning);
    if (!this.isMemory) copy.text = this.text;
    copy.fields = this.fields === undefined ? undefined : structuredClone(this.fields);
    copy.time = this.time;
    copy.severity = this.severity;
    copy.stream = this.stream;
    copy.isCut = this.isCut;
    copy.span = this.span;
    return copy;
  }

  /**
   * Takes in the record that follows, as a further line. Where both lie side by side in memory nothing is copied.
   * What is known of this one stays.
   */
  append(next: LineRecord, separator = "\n"): void {
    const isBeside = this.isMemory && next.isMemory && this.memory === next.memory && this.end + 1 === next.start;
    this.span += next.span;
    if (!isBeside || separator !== "\n" || this.memory[this.end] !== newline) {
      this.text = this.text + separator + next.text;
      return;
    }
    this.end = next.end;
    this.written = undefined;
  }
}

/** Of a character beyond Latin-1 some byte that begins no ASCII character. */
function asByte(code: number): number | undefined {
  return Number.isNaN(code) ? undefined : Math.min(code, 255);
}

/** The same memory as a `Buffer`. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** What is no UTF-8 becomes U+FFFD; the bytes themselves are kept beside it. */
function decoded(memory: Buffer, start: number, end: number): string {
  return memory.toString(isAllAscii(memory) ? "latin1" : "utf8", start, end);
}

let lastMemory: Buffer = nothing;
let lastIsAscii = true;

/** Asked once per block, not per line: decoding Latin-1 is faster by half. */
function isAllAscii(memory: Buffer): boolean {
  if (memory !== lastMemory) {
    lastMemory = memory;
    lastIsAscii = isAscii(memory);
  }
  return lastIsAscii;
}

/** A line as text. */
export function textOf(line: Uint8Array): string {
  return asBuffer(line).toString(isAscii(line) ? "latin1" : "utf8");
}
