/** The lines and records of blocks, one by one: what encoders go through. */
import { isUtf8 } from "node:buffer";
import type { Block, LogRecord } from "../contracts.ts";
import { eachLine, LineRecord } from "../logs/shaping/record.ts";

const carriageReturn = 13;

/** A line as bytes, without its line end; always UTF-8. */
export type TakeLine = (bytes: Uint8Array, start: number, end: number, offset: number) => void;

/**
 * Calls `take` for each line of a block without records. What is no UTF-8 comes with U+FFFD in its place, as most
 * formats allow nothing else; `onMended` is called for such a line.
 */
export function eachLineOf({ bytes, start: offset }: Block, take: TakeLine, onMended: () => void): void {
  const isText = isUtf8(bytes);
  eachLine(bytes, (start, lineEnd) => {
    const end = lineEnd > start && bytes[lineEnd - 1] === carriageReturn ? lineEnd - 1 : lineEnd;
    if (isText || isUtf8(bytes.subarray(start, end))) take(bytes, start, end, offset + start);
    else {
      const mended = Buffer.from(Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("utf8"));
      onMended();
      take(mended, 0, mended.length, offset + start);
    }
  });
}

/** The bytes of a record that nothing changed, where they are UTF-8; undefined for one that has to be written out. */
export function unchangedBytes(record: LogRecord): Uint8Array | undefined {
  if (record.fields !== undefined || !(record instanceof LineRecord)) return undefined;
  const { unchanged } = record;
  return unchanged !== undefined && isUtf8(unchanged) ? unchanged : undefined;
}

/** A field of a record by its name, or by a path of names with dots between them. Also `severity`. */
export function fieldOf(record: LogRecord, name: string): unknown {
  const { fields } = record;
  if (fields !== undefined && Object.hasOwn(fields, name)) return fields[name];
  if (name === "severity") return record.severity;
  let value: unknown = fields;
  for (const part of name.split(".")) {
    if (typeof value !== "object" || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Record<string, unknown>)[part];
  }
  return value;
}

/** As the text of a label; undefined for what has none. */
export function labelText(value: unknown): string | undefined {
  if (typeof value === "string") return value === "" ? undefined : value.toWellFormed();
  if (typeof value === "number" || typeof value === "boolean" || typeof value === "bigint") return String(value);
  return undefined;
}
