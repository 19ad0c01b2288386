/** A header block on its way in: the payload of HEADERS, and of the CONTINUATION frames that must follow at once. */
import { ConnectionFault, ErrorCode } from "./error-codes.ts";

/** Frames that a block may come in before each further one costs. */
const freeFrames = 8;

export class HeaderBlock {
  /** Stream of the block at hand; 0 when none is open. */
  streamId = 0;
  /** END_STREAM was on its HEADERS. */
  ends = false;
  private parts: Buffer[] = [];
  private length = 0;
  private readonly mostBytes: number;

  /** @param mostBytes of a block, as it comes: a larger one is an attack, as its list would be far too large */
  constructor(mostBytes: number) {
    this.mostBytes = mostBytes;
  }

  open(streamId: number, ends: boolean): void {
    this.streamId = streamId;
    this.ends = ends;
  }

  /** Keeps a copy. Returns true when the peer takes more frames for it than it needs. */
  add(bytes: Buffer, start: number, end: number): boolean {
    this.length += end - start;
    if (this.length > this.mostBytes)
      throw new ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, `a header block larger than ${this.mostBytes} bytes`);
    this.parts.push(Buffer.from(bytes.subarray(start, end)));
    return this.parts.length > freeFrames;
  }

  /** The whole block; none is open from here on. */
  close(): Buffer {
    const block = this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts);
    this.parts = [];
    this.length = 0;
    this.streamId = 0;
    return block;
  }
}
