/**
 * Lines and records as JSON objects, for destinations that store documents.
 *
 *   {"level":"info"}   a line that is an object      -> {"@timestamp":"…","app":"shop","level":"info"}
 *   hello              any other                     -> {"@timestamp":"…","app":"shop","message":"hello"}
 *   parsed fields      a record                      -> {"@timestamp":"…","app":"shop",…fields}
 *
 * A line's own members are copied as bytes and win over those of its entry: no name stands there twice.
 */
import type { LogFields, LogRecord, LogSource } from "../contracts.ts";
import { writeRfc3339 } from "../logs/shaping/parsing/rfc3339.ts";
import type { ByteWriter } from "./_byte-writer.ts";
import { unchangedBytes } from "./_items.ts";
import { JsonScan } from "./_json-scan.ts";

export const timeName = "@timestamp";
const levelNames = ["level", "severity", "log.level"];

export interface DocumentRules {
  /** The member that a line becomes which is no object itself. */
  readonly messageField: string;
  /** The member that names the file; undefined for none. */
  readonly pathField?: string | undefined;
}

/** What documents of a source have beside what stands in the line. */
interface Shared {
  readonly fields: LogFields;
  /** `@timestamp`, and those of the fields. */
  readonly names: readonly string[];
  /** `,"app":"shop"` */
  readonly text: string;
  readonly scan: JsonScan;
  /** `"app":"shop"`, in the order of the scan's names behind `@timestamp`. */
  readonly members: readonly Uint8Array[];
  /** All of them with a comma before each. */
  readonly all: Uint8Array;
  /** What most documents begin with: of lines that are no objects, and of those that lack all members. */
  readonly wrapped: Uint8Array;
  readonly added: Uint8Array;
}

const openBrace = Buffer.from("{");
const separator = Buffer.from(",");
const closeBrace = 125;

export class Documents {
  private readonly rules: DocumentRules;
  private readonly writer: ByteWriter;
  private readonly message: Uint8Array;
  private shared = new Map<LogSource, Shared>();
  /** `"@timestamp":"…"` of lines without a time of their own. */
  private time: Uint8Array = openBrace;
  private timeText = "";

  constructor(rules: DocumentRules, writer: ByteWriter) {
    this.rules = rules;
    this.writer = writer;
    this.message = Buffer.from(`,${JSON.stringify(rules.messageField)}:`);
  }

  /** Begins a batch, whose lines were read at about this time. */
  begin(wallMs: number): void {
    this.shared = new Map();
    this.timeText = new Date(wallMs).toISOString();
    this.time = timeMember(this.timeText);
  }

  /** A line, which must be UTF-8. */
  line(source: LogSource, bytes: Uint8Array, start: number, end: number): void {
    this.text(this.of(source), bytes, start, end, this.time);
  }

  record(record: LogRecord): void {
    const shared = this.of(record.source);
    const { time, fields } = record;
    const known = time === undefined ? undefined : isoTime(time);
    if (fields !== undefined) this.fields(record, shared, known);
    else {
      const bytes = unchangedBytes(record) ?? Buffer.from(record.text);
      this.text(
        shared,
        bytes,
        0,
        bytes.length,
        known === undefined ? this.time : timeMember(known),
        known !== undefined,
      );
    }
  }

  /** Parsed fields behind the members they share, as text: no object with all of them is made. */
  private fields({ severity, fields: own = {} }: LogRecord, shared: Shared, known: string | undefined): void {
    if (shared.names.some((name) => Object.hasOwn(own, name))) {
      this.merged(own, severity, shared, known);
      return;
    }
    const fields = JSON.stringify(own);
    const isLevel =
      severity !== undefined && !levelNames.some((name) => Object.hasOwn(own, name) || shared.names.includes(name));
    const level = isLevel ? `,"level":"${severity}"` : "";
    const rest = fields === "{}" ? "" : `,${fields.slice(1, -1)}`;
    this.writer.text(`{"${timeName}":"${known ?? this.timeText}"${shared.text}${rest}${level}}`);
  }

  /** The same where a name stands in both: the record's own member counts. */
  private merged(fields: LogFields, severity: LogRecord["severity"], shared: Shared, time: string | undefined): void {
    const document: Record<string, unknown> = { [timeName]: this.timeText, ...shared.fields, ...fields };
    if (time !== undefined) document[timeName] = time;
    if (severity !== undefined && !levelNames.some((name) => Object.hasOwn(document, name))) document.level = severity;
    this.writer.text(JSON.stringify(document));
  }

  private text(shared: Shared, bytes: Uint8Array, start: number, end: number, time: Uint8Array, isKnown = false): void {
    const { writer } = this;
    const { scan } = shared;
    if (!scan.scan(bytes, start, end)) {
      writer.copy(time === this.time ? shared.wrapped : this.wrapped(time, shared.all));
      writer.quote(bytes, start, end);
      writer.byte(closeBrace);
    } else if (scan.isUnsure || (isKnown && scan.found[0] === 1)) this.parsed(shared, bytes, start, end, time, isKnown);
    else this.spliced(shared, bytes, time);
  }

  /** Members that the line lacks, then its own as they are. */
  private spliced({ scan, members, added }: Shared, bytes: Uint8Array, time: Uint8Array): void {
    const { writer } = this;
    if (scan.foundCount === 0 && !scan.isEmpty && time === this.time) {
      writer.copy(added);
      writer.copy(bytes, scan.open + 1, scan.close + 1);
      return;
    }
    let before = openBrace;
    if (scan.found[0] === 0) {
      writer.copy(before);
      writer.copy(time);
      before = separator;
    }
    for (let i = 0; i < members.length; i++) {
      if (scan.found[i + 1] === 1) continue;
      writer.copy(before);
      writer.copy(members[i]!);
      before = separator;
    }
    if (!scan.isEmpty || before === openBrace) writer.copy(before);
    writer.copy(bytes, scan.open + 1, scan.close + 1);
  }

  /** Names with escapes may be the same as others: only parsing tells. */
  private parsed(
    shared: Shared,
    bytes: Uint8Array,
    start: number,
    end: number,
    time: Uint8Array,
    isKnown: boolean,
  ): void {
    const own = JSON.parse(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8"));
    const stamp = JSON.parse(`{${Buffer.from(time).toString("latin1")}}`);
    this.writer.text(JSON.stringify({ ...stamp, ...shared.fields, ...own, ...(isKnown ? stamp : {}) }));
  }

  /** Everything before the quotes of a line that is no object. */
  private wrapped(time: Uint8Array, all: Uint8Array): Uint8Array {
    return Buffer.concat([openBrace, time, all, this.message]);
  }

  private of(source: LogSource): Shared {
    const known = this.shared.get(source);
    if (known !== undefined) return known;
    const { messageField, pathField } = this.rules;
    const given = pathField === undefined ? source.fields : { ...source.fields, [pathField]: source.path };
    const kept = Object.entries(given).filter(([name, value]) => value !== undefined && name !== timeName);
    const members = kept.map(([name, value]) => Buffer.from(`${JSON.stringify(name)}:${JSON.stringify(value)}`));
    const beside = members.filter((_, at) => kept[at]![0] !== messageField);
    const all = Buffer.concat(beside.flatMap((member) => [separator, member]));
    const names = [timeName, ...kept.map(([name]) => name)];
    const made = {
      fields: Object.fromEntries(kept),
      names,
      text: members.map((member) => `,${member}`).join(""),
      scan: new JsonScan(names),
      members,
      all,
      wrapped: this.wrapped(this.time, all),
      added: Buffer.concat([openBrace, ...[this.time, ...members].flatMap((member) => [member, separator])]),
    };
    this.shared.set(source, made);
    return made;
  }
}

function timeMember(time: string): Uint8Array {
  return Buffer.from(`"${timeName}":"${time}"`);
}

/** RFC 3339 in UTC, to the nanosecond where there are such. */
export function isoTime(time: bigint): string {
  const text = writeRfc3339(time);
  return text.endsWith("000000Z") ? `${text.slice(0, -7)}Z` : text;
}
