/**
 * Blocks of bytes read from files, and the buffers they live in.
 *
 * A large block is the read buffer itself, handed on without a copy and taken back when every output is done with it;
 * a small one is copied to its size, so that a trickle of lines does not keep a quarter of a megabyte each.
 */
import type { Block, Mark } from "../contracts.ts";
import { countLines } from "./follow-counters.ts";
import type { FollowedFile } from "./followed-file.ts";
import { type Print, printOf, tailBytes } from "./identity.ts";

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
  readonly source: FollowedFile;
  readonly bytes: Uint8Array;
  readonly count: number;
  readonly start: number;
  readonly mark: FileMark;
  readonly heldBytes: number;
  /** How many bytes of the file lie before `bytes` in the same memory. */
  private readonly lead: number;
  private readonly buffers: ReadBuffers | undefined;
  private buffer: Buffer | undefined;
  private users = 0;

  /** `buffer` is what `bytes` lie in, when it is to be given back to `buffers`. */
  constructor(file: FollowedFile, bytes: Uint8Array, place: Place, buffer?: Buffer, buffers?: ReadBuffers) {
    this.source = file;
    this.bytes = bytes;
    this.count = countLines(bytes);
    this.start = place.start;
    this.mark = new FileMark(place.end, place.tail);
    this.lead = place.lead ?? 0;
    this.heldBytes = buffer?.length ?? bytes.length;
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
    const { buffer, byteOffset } = this.bytes;
    const length = Math.min(tailBytes, this.lead + place);
    return new FileMark(this.start + place, printOf(new Uint8Array(buffer, byteOffset + place - length, length)));
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
    const bytes = buffer.subarray(from, to);
    return { block: new FileBlock(file, bytes, place, buffer, buffers), tail, kept: true };
  }
  const bytes = new Uint8Array(buffer.subarray(0, to)).subarray(from);
  return { block: new FileBlock(file, bytes, place), tail, kept: false };
}
