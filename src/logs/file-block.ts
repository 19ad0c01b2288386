/**
 * Blocks of bytes read from files, and the buffers they live in.
 *
 * A large block is the read buffer itself, handed on without a copy and taken back when every output is done with it;
 * a small one is copied to its size, so that a trickle of lines does not keep a quarter of a megabyte each.
 */
import type { Block } from "../contracts.ts";
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

export class FileBlock implements Block {
  readonly source: FollowedFile;
  readonly bytes: Uint8Array;
  readonly start: number;
  readonly end: number;
  /** Of the bytes in the file before `end`. */
  readonly tail: Print;
  readonly heldBytes: number;
  private readonly buffers: ReadBuffers | undefined;
  private buffer: Buffer | undefined;
  private users = 0;

  /** `buffer` is what `bytes` lie in, when it is to be given back to `buffers`. */
  constructor(file: FollowedFile, bytes: Uint8Array, place: Place, buffer?: Buffer, buffers?: ReadBuffers) {
    this.source = file;
    this.bytes = bytes;
    this.start = place.start;
    this.end = place.end;
    this.tail = place.tail;
    this.heldBytes = buffer?.length ?? bytes.length;
    this.buffer = buffer;
    this.buffers = buffers;
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
  const place = { start, end: start + length, tail: printOf(tail) };
  const bytes = buffer.subarray(from, to);
  if (length >= handOverBytes) return { block: new FileBlock(file, bytes, place, buffer, buffers), tail, kept: true };
  return { block: new FileBlock(file, new Uint8Array(bytes), place), tail, kept: false };
}
