/** Lines as JSON objects, for outputs with `format: json`. */
import type { Block, LogRecord } from "../contracts.ts";
import { writeRfc3339 } from "../logs/shaping/parsing/rfc3339.ts";
import { LineRecord, lineOf, recordsOf } from "../logs/shaping/record.ts";

/** How an output of lines writes them: as they are, or each as one JSON object. */
export type LineFormat = "text" | "json";

/** A block as an output of lines writes it. As text it is the block's own memory: nothing is copied. */
export function bytesOf(block: Block, format: LineFormat): Uint8Array {
  return format === "text" ? block.bytes : jsonLinesOf(block);
}

/** One record as an output writes it, without a newline. A line that no transform touched is not copied. */
export function recordBytes(record: LogRecord, format: LineFormat): Buffer {
  if (format === "json") return Buffer.from(jsonOf(record));
  const unchanged = record instanceof LineRecord && record.fields === undefined ? record.unchanged : undefined;
  if (unchanged === undefined) return Buffer.from(lineOf(record));
  return Buffer.from(unchanged.buffer, unchanged.byteOffset, unchanged.byteLength);
}

/** One JSON object for each record, each ended by a newline. Bytes that are no UTF-8 become U+FFFD. */
function jsonLinesOf(block: Block): Uint8Array {
  let text = "";
  for (const record of recordsOf(block)) text += `${jsonOf(record)}\n`;
  return Buffer.from(text);
}

/** Parsed fields as they are; text as `message`, with what is known of it. Static fields never replace those. */
function jsonOf(record: LogRecord): string {
  if (record.fields !== undefined) return lineOf(record);
  const { time, severity, text, source } = record;
  const own = {
    ...(time === undefined ? {} : { time: writeRfc3339(time) }),
    ...(severity === undefined ? {} : { severity }),
    message: text,
  };
  return JSON.stringify({ ...own, ...source.fields, ...own });
}
