/** Records written out as lines: text as it is, parsed fields as one JSON object with the fields of their source. */
import type { LogFields, LogRecord } from "../../contracts.ts";
import type { CutLine } from "./cuts.ts";
import { LineRecord } from "./line-record.ts";
import { Lines } from "./lines.ts";

/** A record as an output of lines writes it: its text, or its fields and those of its source as one JSON object. */
export function lineOf(record: LogRecord): string {
  return record.fields === undefined ? record.text : joined(record.source.fields, record.fields);
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
  /** The same with the comma before further members; nothing when the object is empty. */
  readonly bytes: Buffer;
}

let lastPrefix: Prefix = { fields: {}, keys: [], text: "{", bytes: Buffer.alloc(0) };

/** The fields of a source are the same object from record to record: they are written once. */
function prefixOf(fields: LogFields): Prefix {
  if (fields !== lastPrefix.fields) {
    const keys = Object.keys(fields);
    const text = JSON.stringify(fields).slice(0, -1);
    lastPrefix = { fields, keys, text, bytes: Buffer.from(keys.length === 0 ? "" : `${text},`) };
  }
  return lastPrefix;
}

/** Records as lines, each ended by a newline. Lines that lie side by side as they were read are copied at once. */
export function linesOf(records: readonly LogRecord[]): Uint8Array {
  const lines = new Lines();
  for (const record of records) addTo(lines, record);
  return lines.take();
}

function addTo(lines: Lines, record: LogRecord): void {
  const late = record instanceof LineRecord ? record.lateLine : undefined;
  if (late !== undefined && addLate(lines, late, record.source.fields)) return;
  const place = record instanceof LineRecord && record.fields === undefined ? record.place : undefined;
  if (place === undefined) lines.addText(lineOf(record));
  else {
    lines.addBytes(place.memory, place.start, place.end);
    lines.endLine();
  }
}

/** A line that stands for its fields. False when it has none, and those of its source cannot be put before them. */
function addLate(lines: Lines, { memory, start, end, cuts }: CutLine, ofSource: LogFields): boolean {
  const { bytes } = prefixOf(ofSource);
  let place = start;
  if (bytes.length > 0) {
    if (end - start === 2) return false;
    lines.addBytes(bytes, 0, bytes.length);
    place++;
  }
  for (let cut = cuts; cut !== undefined; cut = cut.next) {
    lines.addBytes(memory, place, cut.from);
    lines.addBytes(cut.instead, 0, cut.instead.length);
    place = cut.to;
  }
  lines.addBytes(memory, place, end);
  lines.endLine();
  return true;
}
