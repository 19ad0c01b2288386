/**
 * Lines that do not fit one read. They are found without being kept: the search for their end goes through the file
 * once, and only then is the line read, at most 1 MiB of it. The rest of a longer one is left out, up to its newline.
 */
import { readSync } from "node:fs";
import type { Cursor } from "./cursor.ts";
import { FileBlock, readBytes } from "./file-block.ts";
import type { FollowedFile } from "./followed-file.ts";
import { printOf, readAt, readTail } from "./identity.ts";

/** Longest line that goes out whole, its newline not counted. */
export const maxLineBytes = 1024 * 1024;

/** A block and the raw tail at its end. */
export interface Taken {
  readonly block: FileBlock;
  readonly tail: Uint8Array;
}

/** Length of the whole lines in `got` bytes at `from`; 0 when no line ends there. */
export function lineEnd(buffer: Buffer, from: number, got: number): number {
  const last = buffer.lastIndexOf(10, from + got - 1);
  return last < from ? 0 : last + 1 - from;
}

/**
 * Searches on for the end of the line at `cursor.read`, one buffer at a time. A number is how much was searched in
 * vain; `end` that there is no more to search.
 */
export function searchLongLine(file: FollowedFile, cursor: Cursor): Taken | number | "end" | "replaced" {
  if (cursor.tail !== undefined && Buffer.compare(readTail(file.fd, cursor.read), cursor.tail) !== 0) return "replaced";
  const buffer = file.parts.buffers.take();
  try {
    const got = readSync(file.fd, buffer, 0, readBytes, cursor.scanned);
    if (got === 0) return "end";
    const newline = buffer.subarray(0, got).indexOf(10);
    if (newline >= 0) return takeLine(file, cursor, cursor.scanned + newline + 1);
    cursor.scanned += got;
    return got;
  } finally {
    file.parts.buffers.give(buffer);
  }
}

/** The line that ends at `end`, its newline included. */
function takeLine(file: FollowedFile, cursor: Cursor, end: number): Taken | "replaced" {
  const length = end - cursor.read;
  const bytes = readAt(file.fd, cursor.read, Math.min(length, maxLineBytes + 1));
  if (bytes.length < Math.min(length, maxLineBytes + 1)) return "replaced";
  const tail = readTail(file.fd, end);
  const place = { start: cursor.read, end, tail: printOf(tail) };
  const line = length > maxLineBytes + 1 ? cut(file, bytes, length - 1) : bytes;
  return { block: new FileBlock(file, line, place), tail };
}

/** True when all that is unread of the known size is one line without a newline. */
export function isLastLine(file: FollowedFile, cursor: Cursor): boolean {
  const length = file.knownSize - cursor.read;
  if (length <= 0) return false;
  return length >= readBytes ? cursor.scanned >= file.knownSize : !readAt(file.fd, cursor.read, length).includes(10);
}

/**
 * The line at `cursor.read` that no newline ends, with one added. `forGood`: it counts as read up to `size`;
 * otherwise acknowledging it moves nothing.
 */
export function takeRemainder(file: FollowedFile, cursor: Cursor, size: number, forGood: boolean): Taken {
  const length = size - cursor.read;
  const bytes = readAt(file.fd, cursor.read, Math.min(length, maxLineBytes + 1));
  const line = length > maxLineBytes ? cut(file, bytes, length) : Buffer.concat([bytes, newline]);
  const end = forGood ? size : cursor.read;
  const tail = readTail(file.fd, end);
  return { block: new FileBlock(file, line, { start: cursor.read, end, tail: printOf(tail) }), tail };
}

const newline = Buffer.from("\n");

/** The first `maxLineBytes` of a line of `length` bytes, less a character that would be cut in two, and a newline. */
function cut(file: FollowedFile, bytes: Uint8Array, length: number): Uint8Array {
  let kept = Math.min(maxLineBytes, bytes.length);
  for (let back = 0; back < 3 && isContinuation(bytes[kept]); back++) kept--;
  file.parts.counters.cutLine(length - kept);
  return Buffer.concat([bytes.subarray(0, kept), newline]);
}

/** A byte within a UTF-8 character, not its first. */
function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
