/** What `log-transforms/parse` does with a record: reads it, and puts what it found in its place. */
import type { Counter, LogRecord, RecordTransform, Severity } from "../../../contracts.ts";
import type { LateReader } from "../line-looks.ts";
import { LineRecord } from "../line-record.ts";
import type { FieldPath } from "../transforms/field-path.ts";
import { type Parsed, type ParsedFields, put, type Read } from "./format.ts";
import { Lateness } from "./lateness.ts";
import { severityOf } from "./severity.ts";
import type { TimeReader } from "./time.ts";

export interface ParserOptions {
  readonly read: Read;
  /** True when it reads JSON, which a plain line can stand for until somebody asks for fields. */
  readonly isJson: boolean;
  /** Field to read; the text where it is undefined. */
  readonly field: FieldPath | undefined;
  /** Field to put what was found under; beside the others where it is undefined. */
  readonly into: string | undefined;
  /** Field to keep the text in that was read. */
  readonly original: string | undefined;
  /** Fields that may say the time: the first that does wins. */
  readonly timeFields: readonly FieldPath[];
  readonly readTime: TimeReader;
  /** True when the time is where the form has it, if it has one. */
  readonly ownTime: boolean;
  readonly severityFields: readonly FieldPath[];
  /** Words of one's own, in lower case. */
  readonly severities: ReadonlyMap<string, Severity>;
  /** True when the severity is where the form has it, if it has one. */
  readonly ownSeverity: boolean;
  /** Leaves out what has another form. */
  readonly dropsOthers: boolean;
  readonly unparsed: Counter;
}

export class Parser implements RecordTransform, LateReader {
  private readonly options: ParserOptions;
  /** Undefined where fields must be made at once. */
  private readonly lateness: Lateness | undefined;

  constructor(options: ParserOptions) {
    this.options = options;
    const { isJson, field, into, original } = options;
    const isWhole = field === undefined && into === undefined && original === undefined;
    this.lateness = isJson && isWhole ? new Lateness() : undefined;
  }

  apply(record: LogRecord): boolean {
    if (record instanceof LineRecord && this.lateness?.isWorthwhile() && record.readLater(this)) return true;
    const { field, read, dropsOthers, unparsed } = this.options;
    const text = field === undefined ? textOf(record) : field.get(record.fields ?? {});
    const parsed = typeof text === "string" ? read(text) : undefined;
    if (parsed === undefined || typeof text !== "string") {
      unparsed.add(1);
      return !dropsOthers;
    }
    record.fields = this.placed(record, this.found(record, parsed), text);
    return true;
  }

  readLate(record: LineRecord, text: string): ParsedFields {
    this.lateness?.wasAsked();
    return this.found(record, { fields: JSON.parse(text) as ParsedFields });
  }

  /** Sets time and severity. */
  private found(record: LogRecord, parsed: Parsed): ParsedFields {
    const { ownTime, ownSeverity } = this.options;
    const { fields } = parsed;
    if (ownTime && parsed.time !== undefined) record.time = parsed.time;
    else this.findTime(record, fields);
    record.severity = (ownSeverity ? parsed.severity : undefined) ?? this.severityIn(fields) ?? record.severity;
    return fields;
  }

  private placed(record: LogRecord, found: ParsedFields, text: string): ParsedFields {
    const { field, into, original } = this.options;
    if (original !== undefined) put(found, original, text);
    if (record.fields === undefined) return into === undefined ? found : { [into]: found };
    const fields = record.fields;
    // What was read is said by its parts now.
    if (field !== undefined) field.remove(fields);
    else if (fields.message === text) delete fields.message;
    if (into === undefined) for (const name of Object.keys(found)) put(fields, name, found[name]);
    else put(fields, into, found);
    return fields;
  }

  /** The first field that says a time wins. One that looks like a date is read when it is asked for. */
  private findTime(record: LogRecord, fields: ParsedFields): void {
    const { timeFields, readTime } = this.options;
    for (const name of timeFields) {
      const value = name.get(fields);
      if (value === undefined) continue;
      if (record instanceof LineRecord && isDate(value)) {
        record.readTimeLater(value, readTime);
        return;
      }
      const time = readTime(value);
      if (time === undefined) continue;
      record.time = time;
      return;
    }
  }

  private severityIn(fields: ParsedFields): Severity | undefined {
    const { severityFields, severities } = this.options;
    for (const name of severityFields) {
      const value = name.get(fields);
      if (value === undefined) continue;
      const severity =
        (severities.size > 0 ? severities.get(String(value).toLowerCase()) : undefined) ?? severityOf(value);
      if (severity !== undefined) return severity;
    }
    return undefined;
  }
}

/** `2026-11-26T10:00:00`, or something like it. */
function isDate(value: unknown): boolean {
  return typeof value === "string" && value.charCodeAt(4) === 45 && value.charCodeAt(13) === 58;
}

function textOf(record: LogRecord): string {
  return record instanceof LineRecord ? record.peek() : record.text;
}
