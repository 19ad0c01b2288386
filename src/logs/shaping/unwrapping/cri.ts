/**
 * The format of the Container Runtime Interface, one line each:
 *
 *   2026-11-26T10:00:00.123456789Z stdout F the line, or the last piece of one
 *   2026-11-26T10:00:00.123456789Z stderr P a piece of a line
 *
 * Tags behind a colon (`F:…`) are allowed for and mean nothing here.
 */
import type { LineRecord } from "../line-record.ts";
import { readRfc3339 } from "../parsing/rfc3339.ts";
import { type KeptFields, keep, type Wrapper } from "./wrapper.ts";

/** Longer than any time, stream and tag. */
const headBytes = 96;

export class Cri implements Wrapper {
  private readonly kept: KeptFields;

  constructor(kept: KeptFields) {
    this.kept = kept;
  }

  open(record: LineRecord): boolean | undefined {
    const head = record.begin(headBytes);
    const time = readRfc3339(head, () => 0);
    if (time === undefined || head[time.end] !== " ") return undefined;
    const streamAt = time.end + 1;
    const stream = head.startsWith("stdout ", streamAt) ? "stdout" : "stderr";
    if (!head.startsWith(stream, streamAt)) return undefined;
    const tagAt = streamAt + stream.length + 1;
    const tag = head[tagAt];
    const isTagged = head[tagAt - 1] === " " && (tag === "F" || tag === "P");
    const end = isTagged ? tagEnd(head, tagAt) : -1;
    if (end < 0) return undefined;
    record.skip(end);
    record.time = time.nanos;
    record.stream = stream;
    keep(record, this.kept);
    return tag === "F";
  }
}

/** Behind the tag and the space after it, which is missing in some empty lines. */
function tagEnd(head: string, at: number): number {
  const next = head[at + 1];
  if (next === undefined) return at + 1;
  if (next === " ") return at + 2;
  if (next !== ":") return -1;
  const space = head.indexOf(" ", at);
  return space < 0 ? -1 : space + 1;
}
