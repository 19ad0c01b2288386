/**
 * Lines that do not fit one read, or are longer than an entry allows. They are found without being kept: the search
 * for their end goes through the file once, and only then is the line read, at most as much of it as may go out. The
 * rest of a longer one is left out, up to its newline, and a mark says how much that was.
 */
import { readSync } from "node:fs";
import type { Cursor } from "./cursor.ts";
import { type Content, contentOf, FileBlock, readBytes } from "./file-block.ts";
import type { FollowedFile } from "./followed-file.ts";
import { printOf, readAt, readTail } from "./identity.ts";
import type { LineSource } from "./line-source.ts";

/** A block and the raw tail at its end. */
export interface Taken {
  readonly block: FileBlock;
  readonly tail: Uint8Array;
}

/**
 * Of `length` bytes of whole lines at `from`, those before the first line that is too long. Looks only where a line
 * of that length could be: one search per `maxLine` bytes, none where a read is shorter than that.
 */
export function tooLongFrom({ encoding, parts }: LineSource, buffer: Buffer, from: number, length: number): number {
  const most = parts.maxLine + encoding.unit;
  for (let at = 0; length - at > most; ) {
    const lines = encoding.wholeLines(buffer, from + at, most);
    if (lines === 0) return at;
    at += lines;
  }
  return length;
}

/**
 * Searches on for the end of the line at `cursor.read`, one buffer at a time. A number is how much was searched in
 * vain; `end` that there is no more to search.
 */
export function searchLongLine(file: FollowedFile, cursor: Cursor): Taken | number | "end" | "replaced" {
  if (cursor.tail !== undefined && Buffer.compare(readTail(file.fd, cursor.read), cursor.tail) !== 0) return "replaced";
  const { encoding, parts } = file;
  const buffer = parts.buffers.take();
  try {
    const got = readSync(file.fd, buffer, 0, readBytes, cursor.scanned);
    const whole = got - (got % encoding.unit);
    if (whole === 0) return "end";
    const length = encoding.firstLine(buffer.subarray(0, whole));
    if (length > 0) return takeLine(file, cursor, cursor.scanned + length);
    cursor.scanned += whole;
    return whole;
  } finally {
    parts.buffers.give(buffer);
  }
}

/** The line that ends at `end`, its newline included. */
export function takeLine(file: FollowedFile, cursor: Cursor, end: number): Taken | "replaced" {
  const { unit } = file.encoding;
  const length = end - cursor.read;
  const wanted = Math.min(length, file.parts.maxLine + unit);
  const raw = readAt(file.fd, cursor.read, wanted);
  if (raw.length < wanted) return "replaced";
  const tail = readTail(file.fd, end);
  const place = { start: cursor.read, end, tail: printOf(tail) };
  const content = length > wanted ? cut(file, raw, length - unit) : contentOf(file, raw);
  return { block: new FileBlock(file, content, place), tail };
}

/** True when all that is unread of the known size is one line without a newline. */
export function isLastLine(file: FollowedFile, cursor: Cursor): boolean {
  const { unit } = file.encoding;
  const length = file.knownSize - cursor.read;
  if (length <= 0) return false;
  if (length >= readBytes) return cursor.scanned > file.knownSize - unit;
  const raw = readAt(file.fd, cursor.read, length);
  return raw.length === length && file.encoding.firstLine(Buffer.from(raw.buffer)) === 0;
}

/**
 * The line at `cursor.read` that no newline ends, with one added. `forGood`: it counts as read up to `size`;
 * otherwise acknowledging it moves nothing. Undefined when it is not there any more: a look finds out what is instead.
 */
export function takeRemainder(file: FollowedFile, cursor: Cursor, size: number, forGood: boolean): Taken | undefined {
  const length = size - cursor.read;
  const wanted = Math.min(length, file.parts.maxLine + 1);
  const raw = readAt(file.fd, cursor.read, wanted);
  const isOther = cursor.tail !== undefined && Buffer.compare(readTail(file.fd, cursor.read), cursor.tail) !== 0;
  if (isOther || raw.length < wanted) return undefined;
  const end = forGood ? size : cursor.read;
  const tail = readTail(file.fd, end);
  const content = length > file.parts.maxLine ? cut(file, raw, length) : ended(contentOf(file, raw));
  return { block: new FileBlock(file, content, { start: cursor.read, end, tail: printOf(tail) }), tail };
}

const newline = Buffer.from("\n");

export function ended({ raw, bytes }: Content): Content {
  return { raw, bytes: Buffer.concat([bytes, newline]) };
}

/** What stands at the end of a line that was cut, so that nobody takes it for whole. */
export function cutMark(bytes: number): Buffer {
  return Buffer.from(` [truncated: ${bytes} bytes left out]\n`);
}

/** The beginning of a line of `length` bytes that is too long, less a character that would be cut in two, and the mark. */
export function cut(file: LineSource, raw: Uint8Array, length: number): Content {
  const { encoding, parts } = file;
  const { unit } = encoding;
  const most = parts.maxLine - cutMark(length).length * unit;
  let kept = most - (most % unit);
  if (encoding.isUtf8) for (let back = 0; back < 3 && isContinuation(raw[kept]); back++) kept--;
  const begun = raw.subarray(0, kept);
  parts.counters.cutLine(length - kept);
  const text = encoding.isUtf8 ? begun : encoding.decodeBeginning(begun);
  return { raw, bytes: Buffer.concat([text, cutMark(length - kept)]) };
}

/** A byte within a UTF-8 character, not its first. */
export function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
