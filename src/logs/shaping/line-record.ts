/** A record that began as a line: bytes in its block's memory for as long as nothing changes it. */
import type { LogRecord, LogSource, Severity } from "../../contracts.ts";
import { type CutLine, cutText } from "./cuts.ts";
import { LateLine } from "./late-line.ts";
import type { ByteScan, FieldName, LateReader, LineSearch } from "./line-looks.ts";
import { asBuffer, decoded } from "./line-text.ts";

const newline = 10;
const nothing = Buffer.alloc(0);

/** A record that began as a line of a block, or as several that lie side by side. */
export class LineRecord implements LogRecord {
  readonly source: LogSource;
  readonly offset: number;
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
  private knownFields: Record<string, unknown> | undefined = undefined;
  private knownSeverity: Severity | undefined = undefined;
  /** Set while the fields are those of a plain JSON line that nobody has asked for. */
  private late: LateLine | undefined = undefined;

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

  get fields(): Record<string, unknown> | undefined {
    if (this.late !== undefined) this.readNow(this.late);
    return this.knownFields;
  }

  set fields(fields: Record<string, unknown> | undefined) {
    if (this.late !== undefined) this.readNow(this.late);
    this.knownFields = fields;
  }

  get severity(): Severity | undefined {
    if (this.late !== undefined) this.readNow(this.late);
    return this.knownSeverity;
  }

  set severity(severity: Severity | undefined) {
    if (this.late !== undefined) this.readNow(this.late);
    this.knownSeverity = severity;
  }

  get time(): bigint | undefined {
    if (this.late !== undefined) this.readNow(this.late);
    if (this.timeReader !== undefined) {
      this.knownTime = this.timeReader(this.timeValue) ?? this.knownTime;
      this.timeReader = undefined;
    }
    return this.knownTime;
  }

  set time(time: bigint | undefined) {
    if (this.late !== undefined) this.readNow(this.late);
    this.knownTime = time;
    this.timeReader = undefined;
  }

  /** Has its time read from a value when it is first asked for. A value that is none leaves the time as it was. */
  readTimeLater(value: unknown, reader: (value: unknown) => bigint | undefined): void {
    void this.time;
    this.timeValue = value;
    this.timeReader = reader;
  }

  /**
   * Has fields, time and severity read when they are first asked for. False when the line is not such that it can
   * stand for its fields until then: it is one JSON object, of which it is certain how they would be written.
   */
  readLater(reader: LateReader): boolean {
    if (!this.isAsRead || this.knownFields !== undefined || this.late !== undefined) return false;
    this.late = LateLine.of(this.memory, this.start, this.end, reader, this.source.fields);
    return this.late !== undefined;
  }

  /** False when there are none, or when nobody has asked for them yet and the line can stand for them. */
  get hasOwnFields(): boolean {
    return this.knownFields !== undefined;
  }

  /**
   * Replaces the values of fields, if they are there, where they are written; `instead` is JSON. Returns how many were
   * replaced, which did not stand there already; undefined, and does nothing, when that takes the fields themselves.
   */
  cutFields(names: readonly FieldName[], instead: Buffer): number | undefined {
    const count = this.late?.cutFields(names, instead);
    if (count !== undefined && count > 0) this.written = undefined;
    return count;
  }

  /** True while the line stands for its fields. */
  get isLate(): boolean {
    return this.late !== undefined;
  }

  /** True when something was cut out of it. */
  get isShortened(): boolean {
    return this.late?.cuts !== undefined;
  }

  /** True when the line that stands for its fields is written otherwise than it was read, but for white space. */
  get isRespelled(): boolean {
    return this.late?.isRespelled === true;
  }

  /** Cuts out of a line that stands for its fields what is found in it. Returns whether something was. */
  cutMore(where: LineSearch): boolean {
    const isFound = this.late?.cutMore(where) === true;
    if (isFound) this.written = undefined;
    return isFound;
  }

  /** Bytes of memory it takes beside that of its block, but for its fields. */
  get ownBytes(): number {
    if (!this.isAsRead) return this.span;
    const { late } = this;
    return late === undefined || late.memory === this.memory ? 0 : late.end - late.start;
  }

  /** What is found in its bytes as they were read; in none of them once its text was changed. */
  bitsOf(scan: ByteScan): number {
    return this.isAsRead ? scan.scanBytes(this.memory, this.start, this.end) : -1;
  }

  /** The line that can stand for its fields, beside those of its source; undefined when it cannot. */
  get lateLine(): CutLine | undefined {
    return this.late?.isApartFrom(this.source.fields) === true ? this.late : undefined;
  }

  private readNow(late: LateLine): void {
    this.late = undefined;
    this.knownFields = late.reader.readLate(this, decoded(this.memory, this.start, this.end));
    if (late.cuts === undefined) return;
    this.knownFields = JSON.parse(cutText(late)) as Record<string, unknown>;
    this.forgetText();
  }

  /** Its text as it is now: what was read, or what the fields say as soon as something was cut out of them. */
  private get spelled(): string {
    const { memory, start, end, late } = this;
    return late?.cuts === undefined ? decoded(memory, start, end) : cutText(late);
  }

  /** True while its text is its own bytes. */
  private get isAsRead(): boolean {
    return this.isMemory && this.late?.cuts === undefined;
  }

  get text(): string {
    this.written ??= this.isFields ? JSON.stringify(this.fields ?? {}) : this.spelled;
    return this.written;
  }

  /** The text, not kept: for who needs it once. A block of lines would hold all of it a second time. */
  peek(): string {
    return this.written ?? (this.isMemory ? this.spelled : this.text);
  }

  set text(text: string) {
    if (this.late !== undefined) this.readNow(this.late);
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
    return this.isAsRead ? this.memory.subarray(this.start, this.end) : undefined;
  }

  /** Where its own bytes lie; undefined once its text was changed. */
  get place(): { readonly memory: Buffer; readonly start: number; readonly end: number } | undefined {
    return this.isAsRead ? { memory: this.memory, start: this.start, end: this.end } : undefined;
  }

  /** The record itself if it is one of lines; else one that says the same. */
  static of(record: LogRecord): LineRecord {
    if (record instanceof LineRecord) return record;
    const made = new LineRecord(record.source, record.offset, nothing);
    return Object.assign(made, record, { text: record.text });
  }

  /** A byte of the text as it was read, for a first look that needs no text; undefined beyond its end. */
  byteAt(index: number): number | undefined {
    if (!this.isAsRead) return asByte(this.text.charCodeAt(index));
    return this.start + index < this.end ? this.memory[this.start + index] : undefined;
  }

  /** The first characters of the text, `count` bytes of it at the most; for what begins in ASCII. */
  begin(count: number): string {
    if (!this.isAsRead) return this.text.slice(0, count);
    return this.memory.toString("latin1", this.start, Math.min(this.end, this.start + count));
  }

  /** Takes the first `count` bytes off the text, which must be ASCII. */
  skip(count: number): void {
    if (this.late !== undefined) this.readNow(this.late);
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
    const { fields } = this;
    if (!this.isMemory) copy.text = this.text;
    copy.fields = fields === undefined ? undefined : structuredClone(fields);
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
    if (this.late !== undefined) this.readNow(this.late);
    const isBeside = this.isMemory && next.isAsRead && this.memory === next.memory && this.end + 1 === next.start;
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
