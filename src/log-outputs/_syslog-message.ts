/**
 * Records as syslog messages (RFC 5424; RFC 3164 for old receivers). A line that no transform touched goes on as the
 * bytes it is.
 */
import type { Clock, LogFields, LogRecord, LogSource, Severity } from "../contracts.ts";
import { writeRfc3339 } from "../logs/shaping/parsing/rfc3339.ts";
import { LineRecord, lineOf } from "../logs/shaping/record.ts";
import { Template } from "./_template.ts";

export interface MessageOptions {
  readonly format: "rfc5424" | "rfc3164";
  /** 0 to 23. */
  readonly facility: number;
  /** Of records that have none. */
  readonly severity: Severity;
  /** Templates; empty for none. */
  readonly hostname: string;
  readonly appName: string;
  readonly procId: string;
  readonly msgId: string;
  /** The field that is the message, where a record has it. */
  readonly message: string | undefined;
  /** Structured data: names of fields by SD-ID. */
  readonly structuredData: Readonly<Record<string, readonly string[]>>;
}

/** RFC 5424 section 6.2.1: what the six levels are among its eight. */
const severities: Readonly<Record<Severity, number>> = { trace: 7, debug: 7, info: 6, warn: 4, error: 3, fatal: 2 };

/** RFC 5424 section 6: the longest each may be. */
const longest = { hostname: 255, appName: 48, procId: 128, msgId: 32 } as const;

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** A message in two pieces: header, ASCII but for structured data, and MSG. */
export interface SyslogMessage {
  readonly header: string;
  readonly text: Uint8Array;
}

/** What of a header is the same for all records of a source. */
interface Names {
  readonly fields: LogFields;
  readonly text: string;
}

export class SyslogFormat {
  private readonly options: MessageOptions;
  private readonly clock: Clock;
  private readonly templates: Readonly<Record<keyof typeof longest, Template>>;
  private readonly names = new WeakMap<LogSource, Names>();

  constructor(options: MessageOptions, clock: Clock) {
    this.options = options;
    this.clock = clock;
    const { hostname, appName, procId, msgId } = options;
    const template = (text: string) => new Template(text, clock, (value) => value);
    this.templates = {
      hostname: template(hostname),
      appName: template(appName),
      procId: template(procId),
      msgId: template(msgId),
    };
  }

  /** @param now time of a record that has none, in nanoseconds since the epoch */
  messageOf(record: LogRecord, now: bigint): SyslogMessage {
    const { facility, severity } = this.options;
    const priority = facility * 8 + severities[record.severity ?? severity];
    const time = record.time ?? now;
    const names = this.namesOf(record.source);
    const header =
      this.options.format === "rfc5424"
        ? `<${priority}>1 ${writeRfc3339(time).slice(0, -4)}Z ${names} ${this.structuredData(record)} `
        : `<${priority}>${oldTime(time)} ${names}: `;
    return { header, text: this.textOf(record) };
  }

  /** The time of reading, for records without one of their own. */
  now(): bigint {
    return BigInt(Math.floor(this.clock.wall())) * 1_000_000n;
  }

  private textOf(record: LogRecord): Uint8Array {
    const { message } = this.options;
    if (record.fields === undefined) {
      const unchanged = record instanceof LineRecord ? record.unchanged : undefined;
      return unchanged ?? Buffer.from(record.text);
    }
    const value = message === undefined ? undefined : record.fields[message];
    return Buffer.from(typeof value === "string" ? value : lineOf(record));
  }

  private namesOf(source: LogSource): string {
    const known = this.names.get(source);
    if (known !== undefined && known.fields === source.fields) return known.text;
    const of = (name: keyof typeof longest) => token(this.templates[name].of(source), longest[name]);
    const text =
      this.options.format === "rfc5424"
        ? `${of("hostname")} ${of("appName")} ${of("procId")} ${of("msgId")}`
        : `${of("hostname")} ${tag(of("appName"), of("procId"))}`;
    this.names.set(source, { fields: source.fields, text });
    return text;
  }

  private structuredData(record: LogRecord): string {
    let elements = "";
    for (const [id, fields] of Object.entries(this.options.structuredData)) {
      let params = "";
      for (const field of fields) {
        const value = record.fields?.[field] ?? record.source.fields[field];
        if (value !== undefined && value !== null) params += ` ${paramName(field)}="${escaped(value)}"`;
      }
      if (params !== "") elements += `[${id}${params}]`;
    }
    return elements === "" ? "-" : elements;
  }
}

/** PRINTUSASCII of a header, `-` where there is nothing. */
function token(value: string, most: number): string {
  return value === "" ? "-" : value.replace(/[^\x21-\x7e]/g, "_").slice(0, most);
}

/** RFC 3164 section 4.1.3: at most 32 characters that are letters or digits, by habit also `._/-`; then the process. */
function tag(appName: string, procId: string): string {
  const name = appName.replace(/[^A-Za-z0-9._/-]/g, "_").slice(0, 32);
  return procId === "-" ? name : `${name}[${procId.replace(/[[\]:]/g, "_")}]`;
}

/** RFC 5424 section 6.3.3: up to 32 of PRINTUSASCII, without `=`, space, `]` and `"`. */
function paramName(field: string): string {
  return field.replace(/[^\x21-\x7e]|[=\]"]/g, "_").slice(0, 32);
}

function escaped(value: unknown): string {
  const text = typeof value === "object" ? JSON.stringify(value) : String(value);
  return text.replace(/["\\\]]/g, "\\$&");
}

/** `Nov  6 04:00:00`, in UTC. */
function oldTime(time: bigint): string {
  const date = new Date(Number(time / 1_000_000n));
  const clock = date.toISOString().slice(11, 19);
  return `${months[date.getUTCMonth()]} ${String(date.getUTCDate()).padStart(2)} ${clock}`;
}
