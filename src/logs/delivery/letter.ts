/** One dead letter: a line of NDJSON that says what was not delivered, why, and where it came from. */
import type { Block } from "../../contracts.ts";
import { writeRfc3339 } from "../shaping/parsing/rfc3339.ts";
import { LineRecord, textOf } from "../shaping/record.ts";
import type { Rejected } from "./outcome.ts";

/**
 * `{"time", "output", "cause", "reason", "input", "path", "source", "offset", …}` and what was to be delivered: `line`,
 * or `fields` where a transform parsed it. A line that is no UTF-8 is there as it was, in `base64`.
 */
export function letterOf({ block, cause, reason }: Rejected, output: string, wallMs: number): string {
  const { source, start, records } = block;
  const record = records?.[0];
  const place = { input: source.input, path: source.path, source: source.id, offset: record?.offset ?? start };
  const time = new Date(wallMs).toISOString();
  return `${JSON.stringify({ time, output, cause, reason, ...place, ...contentOf(block) })}\n`;
}

function contentOf({ bytes, records }: Block): Record<string, unknown> {
  const record = records?.[0];
  if (record === undefined) return lineContent(withoutNewline(bytes));
  const known = {
    ...(record.time === undefined ? {} : { recordTime: writeRfc3339(record.time) }),
    ...(record.severity === undefined ? {} : { severity: record.severity }),
  };
  if (record.fields !== undefined) return { ...known, fields: { ...record.source.fields, ...record.fields } };
  const line = record instanceof LineRecord ? record.unchanged : undefined;
  return { ...known, ...(line === undefined ? { line: record.text } : lineContent(line)) };
}

function lineContent(line: Uint8Array): Record<string, unknown> {
  const text = textOf(line);
  const isText = Buffer.compare(Buffer.from(text), line) === 0;
  return isText ? { line: text } : { base64: Buffer.from(line).toString("base64") };
}

function withoutNewline(bytes: Uint8Array): Uint8Array {
  return bytes.at(-1) === 10 ? bytes.subarray(0, -1) : bytes;
}
