/** The fast way from a file to a block: one read, one search backwards for a newline, no copy when it is large. */
import { readSync } from "node:fs";
import type { Cursor } from "./cursor.ts";
import { blockOf, readBytes } from "./file-block.ts";
import type { SkipReason } from "./follow-counters.ts";
import type { FollowedFile, NoBytes } from "./followed-file.ts";
import { learnHead } from "./head.ts";
import { readTail, sameBeginning } from "./identity.ts";
import { type Taken, takeLine, tooLongFrom } from "./long-line.ts";

/** The whole lines of one read at the position. A number is how many bytes were passed over without making a block. */
export function takeWholeLines(file: FollowedFile, cursor: Cursor): Taken | number | NoBytes {
  const { buffers } = file.parts;
  const buffer = buffers.take();
  let kept = false;
  try {
    const found = readNew(file, cursor, buffer);
    if (typeof found === "string") return found;
    const { from, got } = found;
    if (cursor.blank) {
      const skipped = skipLead(file, cursor, buffer.subarray(from, from + got));
      if (skipped > 0) return skipped;
    }
    const length = file.encoding.wholeLines(buffer, from, got);
    if (length === 0) return unfinished(cursor, got);
    const fits = tooLongFrom(file, buffer, from, length);
    if (fits === 0)
      return takeLine(file, cursor, cursor.read + file.encoding.firstLine(buffer.subarray(from, from + length)));
    const made = blockOf(file, cursor.read, { buffer, from, length: fits, buffers });
    kept = made.kept;
    return made;
  } finally {
    if (!kept) buffers.give(buffer);
  }
}

/** Reads the tail and what follows it; says where in the buffer that is. */
function readNew(file: FollowedFile, cursor: Cursor, buffer: Buffer): { from: number; got: number } | NoBytes {
  const tail = cursor.tail ?? readTail(file.fd, cursor.read);
  const from = tail.length;
  const got = readSync(file.fd, buffer, 0, from + readBytes, cursor.read - from) - from;
  if (got < 0 || Buffer.compare(buffer.subarray(0, from), tail) !== 0) return "replaced";
  file.noteSize(cursor.read + got);
  if (got === 0) return "end";
  const fault = cursor.read === 0 ? beginning(file, buffer.subarray(0, got)) : file.content.doubt();
  return fault ?? { from, got };
}

/** Compares the first bytes with what is known of them. */
function beginning(file: FollowedFile, bytes: Uint8Array): NoBytes | undefined {
  const known = file.row.headBytes ?? bytes;
  if (bytes.length < known.length || !sameBeginning(known, bytes)) return "replaced";
  learnHead(file.row, 0, bytes);
  return known.length === 0 ? "begun" : undefined;
}

/** No newline in what was read: an unfinished line, or one that is longer than a buffer and is searched from here. */
function unfinished(cursor: Cursor, got: number): number | "end" {
  if (got < readBytes) return "end";
  cursor.scanned = cursor.read + got;
  return got;
}

/** Passes over what comes before the first line and belongs to none: a byte order mark, or NULs. Says how much. */
function skipLead(file: FollowedFile, cursor: Cursor, bytes: Uint8Array): number {
  const mark = cursor.read === 0 ? file.encoding.markLength(bytes) : 0;
  if (mark > 0) return skip(file, cursor, bytes.subarray(0, mark), "mark");
  const nulls = nullsOf(bytes, file.encoding.unit);
  return nulls === 0 ? 0 : skip(file, cursor, bytes.subarray(0, nulls), "nulls");
}

/** A writer that does not append keeps its old offset after a truncation: the gap before it reads as NULs. */
function nullsOf(bytes: Uint8Array, unit: number): number {
  if (bytes[0] !== 0) return 0;
  const text = bytes.findIndex((byte) => byte !== 0);
  const count = text < 0 ? bytes.length : text;
  return count - (count % unit);
}

function skip(file: FollowedFile, cursor: Cursor, bytes: Uint8Array, reason: SkipReason): number {
  const position = cursor.read + bytes.length;
  file.parts.counters.skipped(reason, bytes.length);
  learnHead(file.row, cursor.read, bytes);
  cursor.startAt(position, readTail(file.fd, position));
  cursor.blank = true;
  return bytes.length;
}
