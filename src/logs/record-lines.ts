/** Records written out as lines: text as it is, parsed fields as one JSON object with the fields of their source. */
import type { LogFields, LogRecord } from "../contracts.ts";
import { LineRecord } from "./line-record.ts";

/** A record as an output of lines writes it: its text, or its fields and those of its source as one JSON object. */
export function lineOf(record: LogRecord): string {
  return record.fields === undefined ? record.text : joined(record.source.fields, record.fields);
}

/** A record as one JSON object, whether it was parsed or not: the text of one that was not is its `message`. */
export function jsonOf(record: LogRecord): string {
  return joined(record.source.fields, record.fields ?? { message: record.text });
}

/** Both as one object. What the record says itself comes before what is said of its source. */
function joined(ofSource: LogFields, own: Readonly<Record<string, unknown>>): string {
  const { keys, text } = prefixOf(ofSource);
  if (keys.length === 0) return JSON.stringify(own);
  for (const key of keys) if (Object.hasOwn(own, key)) return JSON.stringify({ ...ofSource, ...own });
  const rest = JSON.stringify(own);
  return rest === "{}" ? `${text}}` : `${text},${rest.slice(1)}`;
}

interface Prefix {
  readonly fields: LogFields;
  readonly keys: readonly string[];
  /** The object without its closing brace. */
  readonly text: string;
}

let lastPrefix: Prefix = { fields: {}, keys: [], text: "{" };

/** The fields of a source are the same object from record to record: they are written once. */
function prefixOf(fields: LogFields): Prefix {
  if (fields !== lastPrefix.fields) {
    const keys = Object.keys(fields);
    lastPrefix = { fields, keys, text: JSON.stringify(fields).slice(0, -1) };
  }
  return lastPrefix;
}

/** Records as lines, each ended by a newline. Lines that lie side by side as they were read are copied at once. */
export function linesOf(records: readonly LogRecord[]): Uint8Array {
  const lines = new Lines();
  for (const record of records) {
    const place = record instanceof LineRecord && record.fields === undefined ? record.place : undefined;
    if (place === undefined) lines.addText(lineOf(record));
    else lines.addBytes(place.memory, place.start, place.end);
  }
  return lines.take();
}

const newline = Buffer.from("\n");

/** Lines on their way to one piece of memory: text that waits, or a run of bytes that waits, never both. */
class Lines {
  private readonly parts: Uint8Array[] = [];
  private text = "";
  private memory: Buffer | undefined;
  private start = 0;
  private end = 0;

  addText(line: string): void {
    this.endRun();
    this.text += `${line}\n`;
  }

  addBytes(memory: Buffer, start: number, end: number): void {
    const isNext = this.memory === memory && this.end === start;
    if (!isNext) {
      this.endRun();
      this.endText();
      this.memory = memory;
      this.start = start;
    }
    if (memory[end] === newline[0]) this.end = end + 1;
    else {
      this.end = end;
      this.endRun();
      this.parts.push(newline);
    }
  }

  take(): Uint8Array {
    this.endRun();
    this.endText();
    return this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts);
  }

  private endRun(): void {
    if (this.memory !== undefined) this.parts.push(this.memory.subarray(this.start, this.end));
    this.memory = undefined;
  }

  private endText(): void {
    if (this.text !== "") this.parts.push(Buffer.from(this.text));
    this.text = "";
  }
}
