/**
 * Docker's json-file: `{"log":"the line\n","stream":"stdout","attrs":{…},"time":"…"}`. A `log` without a newline at its
 * end is a piece of a line.
 */
import type { LineRecord } from "../line-record.ts";
import { readRfc3339 } from "../parsing/rfc3339.ts";
import { type KeptFields, keep, type Wrapper } from "./wrapper.ts";

interface Entry {
  readonly log?: unknown;
  readonly stream?: unknown;
  readonly attrs?: unknown;
  readonly time?: unknown;
}

export class Docker implements Wrapper {
  private readonly kept: KeptFields;

  constructor(kept: KeptFields) {
    this.kept = kept;
  }

  open(record: LineRecord): boolean | undefined {
    const entry = entryOf(record);
    if (entry === undefined || typeof entry.log !== "string") return undefined;
    const { log, stream, attrs, time } = entry;
    const isWhole = log.endsWith("\n");
    record.text = isWhole ? log.slice(0, log.endsWith("\r\n") ? -2 : -1) : log;
    if (typeof stream === "string") record.stream = stream;
    if (typeof time === "string") record.time = readRfc3339(time, () => 0)?.nanos;
    keep(record, this.kept, attrs);
    return isWhole;
  }
}

const brace = 123;

function entryOf(record: LineRecord): Entry | undefined {
  if (record.byteAt(0) !== brace) return undefined;
  try {
    return JSON.parse(record.text) as Entry;
  } catch {
    return undefined;
  }
}
