/**
 * Blocks of bytes read from files, and the buffers they live in.
 *
 * A large block is the read buffer itself, handed on without a copy and taken back when every output is done with it;
 * a small one is copied to its size, so that a trickle of lines does not keep a quarter of a megabyte each. Of a file
 * that is not UTF-8 a block keeps both, what it read and what it made of it: marks are places in the file.
 */
import type { Block, Mark } from "../../contracts.ts";
import { type Encoding, utf8 } from "./encoding.ts";
import { countLines } from "./follow-counters.ts";
import type { FollowedFile } from "./followed-file.ts";
import { type Print, printOf, tailBytes } from "./identity.ts";
import type { LineSource } from "./line-source.ts";

/** Most bytes read at once. */
export const readBytes = 256 * 1024;
const bufferBytes = readBytes + tailBytes;
/** A block at least this large keeps the buffer it was read into. */
const handOverBytes = readBytes / 2;
/** As many as an output may hold at most: dropped ones would pile up until the next garbage collection. */
const mostSpare = 32;

/** Buffers in use again and again; none is made before the first byte is read. */
export class ReadBuffers {
  private spare: Buffer[] = [];

  take(): Buffer {
    return this.spare.pop() ?? Buffer.allocUnsafeSlow(bufferBytes);
  }

  give(buffer: Buffer): void {
    if (this.spare.length < mostSpare) this.spare.push(buffer);
  }

  /** Lets go of all but one. True when there was more. */
  trim(): boolean {
    const hadMore = this.spare.length > 1;
    this.spare.length = Math.min(this.spare.length, 1);
    return hadMore;
  }
}

/** A place in a file, with what tells later whether it still means the same. */
export class FileMark implements Mark {
  readonly offset: number;
  /** Of the bytes in the file before `offset`. */
  readonly tail: Print;

  constructor(offset: number, tail: Print) {
    this.offset = offset;
    this.tail = tail;
  }
}

export class FileBlock implements Block {
  readonly source: LineSource;
  readonly bytes: Uint8Array;
  /** As it stands in the file; the same object as `bytes` where that is how it goes out. */
  readonly raw: Uint8Array;
  readonly count: number;
  readonly start: number;
  readonly mark: FileMark;
  readonly heldBytes: number;
  /** How many bytes of the file lie before `raw` in the same memory. */
  private readonly lead: number;
  private readonly encoding: Encoding;
  private starts: { readonly ours: readonly number[]; readonly raw: readonly number[] } | undefined;
  private readonly buffers: ReadBuffers | undefined;
  private buffer: Buffer | undefined;
  private users = 0;

  /** `buffer` is what `raw` lies in, when it is to be given back to `buffers`. */
  constructor(file: LineSource, { raw, bytes }: Content, place: Place, buffer?: Buffer, buffers?: ReadBuffers) {
    this.source = file;
    this.bytes = bytes;
    this.raw = raw;
    this.count = countLines(bytes);
    this.start = place.start;
    this.mark = new FileMark(place.end, place.tail);
    this.lead = place.lead ?? 0;
    this.encoding = file.encoding;
    this.heldBytes = (buffer?.length ?? raw.length) + (bytes === raw ? 0 : bytes.length);
    this.buffer = buffer;
    this.buffers = buffers;
  }

  get end(): number {
    return this.mark.offset;
  }

  get size(): number {
    return this.bytes.length;
  }

  markAt(place: number): FileMark {
    const { buffer, byteOffset } = this.raw;
    const at = this.bytes === this.raw ? place : this.rawPlace(place);
    const length = Math.min(tailBytes, this.lead + at);
    return new FileMark(this.start + at, printOf(new Uint8Array(buffer, byteOffset + at - length, length)));
  }

  offeredTo(outputs: number): void {
    this.users = outputs;
  }

  /** One output is done with it. */
  release(): void {
    this.users--;
    if (this.users > 0 || this.buffer === undefined) return;
    this.buffers?.give(this.buffer);
    this.buffer = undefined;
  }

  /** Where the line begins in the file that begins at `place` of the text: the line of the same number. */
  private rawPlace(place: number): number {
    this.starts ??= { ours: utf8.lineStarts(this.bytes), raw: this.encoding.lineStarts(this.raw) };
    return this.starts.raw[lastUpTo(this.starts.ours, place)] ?? 0;
  }
}

/** Index of the last of `numbers`, which grow, that is not above `limit`. */
function lastUpTo(numbers: readonly number[], limit: number): number {
  let [low, high] = [0, numbers.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (numbers[middle]! <= limit) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** Bytes as they stand in the file, and as they go out. */
export interface Content {
  readonly raw: Uint8Array;
  readonly bytes: Uint8Array;
}

interface Place {
  readonly start: number;
  readonly end: number;
  readonly tail: Print;
  readonly lead?: number;
}

/**
 * The block of `length` bytes at `from` of a read buffer. The buffer belongs to the block when `kept` says so;
 * otherwise it is free again.
 */
export function blockOf(
  file: FollowedFile,
  start: number,
  { buffer, from, length, buffers }: { buffer: Buffer; from: number; length: number; buffers: ReadBuffers },
): { block: FileBlock; tail: Uint8Array; kept: boolean } {
  const to = from + length;
  const tail = new Uint8Array(buffer.subarray(Math.max(0, to - tailBytes), to));
  const place = { start, end: start + length, tail: printOf(tail), lead: from };
  if (length >= handOverBytes) {
    const content = contentOf(file, buffer.subarray(from, to));
    return { block: new FileBlock(file, content, place, buffer, buffers), tail, kept: true };
  }
  const content = contentOf(file, new Uint8Array(buffer.subarray(0, to)).subarray(from));
  return { block: new FileBlock(file, content, place), tail, kept: false };
}

/** Whole lines of a file, or the rest of one, as they go out. */
export function contentOf({ encoding, parts }: LineSource, raw: Uint8Array): Content {
  if (encoding.isUtf8) return { raw, bytes: raw };
  const { bytes, replaced } = encoding.decode(raw);
  parts.counters.undecodable(replaced);
  return { raw, bytes };
}
