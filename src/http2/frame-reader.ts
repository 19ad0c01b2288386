/**
 * Cuts what arrives into frames. DATA is passed on piece by piece as it comes; of every other frame the whole payload
 * is given at once.
 *
 *   bytes -> [preface] -> head of 9 bytes -> begins() -> payload -> frame()
 *                                                    \-> DATA    -> data(), data(), …
 */
import { ConnectionFault, ErrorCode } from "./error-codes.ts";
import { defaultFrameSize, Flag, FrameType, frameHeadBytes, preface, readUint31 } from "./frames.ts";

/** Every member may throw a ConnectionFault, which ends the reading. */
export interface FrameSink {
  /** A frame's head has come: what is wrong with it need not wait for its payload. */
  begins(type: number, flags: number, streamId: number, length: number): void;
  /** A frame that is not DATA; the bytes are valid during the call. */
  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void;
  /** A DATA frame begins; `length` counts its padding too (section 6.9.1), `content` does not. */
  dataBegins(flags: number, streamId: number, length: number, content: number): void;
  /** Content of the DATA frame that began last; `last` with the end of it, which may be empty. */
  data(bytes: Buffer, last: boolean): void;
}

const nothing = Buffer.alloc(0);

export class FrameReader {
  private readonly sink: FrameSink;
  /** Bytes of the preface still to come. */
  private prefaceLeft: number;
  /** The beginning of a frame whose rest has not come: `kept[0, keptLength)` of `keptNeeds`. */
  private kept: Buffer | null = null;
  private keptLength = 0;
  private keptNeeds = 0;
  /** Of the DATA frame at hand: content and padding still to come. */
  private content = 0;
  private padding = 0;

  constructor(sink: FrameSink, expectsPreface: boolean) {
    this.sink = sink;
    this.prefaceLeft = expectsPreface ? preface.length : 0;
  }

  /** @throws ConnectionFault for what cannot go on */
  read(bytes: Buffer): void {
    let at = this.prefaceLeft > 0 ? this.readPreface(bytes) : 0;
    while (at < bytes.length) {
      if (this.content > 0) at = this.readData(bytes, at);
      else if (this.padding > 0) at = this.skipPadding(bytes, at);
      else if (this.kept !== null) at = this.complete(bytes, at);
      else at = this.readFrame(bytes, at);
    }
  }

  private readPreface(bytes: Buffer): number {
    const from = preface.length - this.prefaceLeft;
    const count = Math.min(this.prefaceLeft, bytes.length);
    if (preface.compare(bytes, 0, count, from, from + count) !== 0)
      throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the connection does not begin with the preface of HTTP/2");
    this.prefaceLeft -= count;
    return count;
  }

  /** Reads the frame that begins at `at`; returns the index after what was taken. */
  private readFrame(bytes: Buffer, at: number): number {
    const there = bytes.length - at;
    if (there < frameHeadBytes) return this.keep(bytes, at, frameHeadBytes);
    const needs = this.needs(bytes, at);
    if (there < needs) return this.keep(bytes, at, needs);
    this.deliver(bytes, at);
    return at + needs;
  }

  /** Bytes of the frame, head included, that must be there at once. */
  private needs(bytes: Buffer, at: number): number {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    if (length > defaultFrameSize)
      throw new ConnectionFault(
        ErrorCode.FRAME_SIZE_ERROR,
        `a frame of ${length} bytes; ${defaultFrameSize} are allowed`,
      );
    this.sink.begins(type, flags, readUint31(bytes, at + 5), length);
    if (type !== FrameType.DATA) return frameHeadBytes + length;
    return (flags & Flag.PADDED) !== 0 && length > 0 ? frameHeadBytes + 1 : frameHeadBytes;
  }

  private deliver(bytes: Buffer, at: number): void {
    const length = (bytes[at]! << 16) | (bytes[at + 1]! << 8) | bytes[at + 2]!;
    const type = bytes[at + 3]!;
    const flags = bytes[at + 4]!;
    const streamId = readUint31(bytes, at + 5);
    const start = at + frameHeadBytes;
    if (type !== FrameType.DATA) this.sink.frame(type, flags, streamId, bytes, start, start + length);
    else this.beginData(flags, streamId, length, (flags & Flag.PADDED) === 0 ? -1 : (bytes[start] ?? 0));
  }

  /** @param padding declared bytes of padding; -1 where there is not even the octet that says so */
  private beginData(flags: number, streamId: number, length: number, padding: number): void {
    const content = length - padding - 1;
    if (content < 0) throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a frame with more padding than payload");
    this.padding = Math.max(padding, 0);
    this.content = content;
    this.sink.dataBegins(flags, streamId, length, content);
    if (content === 0) this.sink.data(nothing, true);
  }

  private readData(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.content);
    this.content -= end - at;
    this.sink.data(bytes.subarray(at, end), this.content === 0);
    return end;
  }

  private skipPadding(bytes: Buffer, at: number): number {
    const end = Math.min(bytes.length, at + this.padding);
    this.padding -= end - at;
    return end;
  }

  /** Copies the beginning of a frame until the rest comes: a copy of its own size, however small the pieces are. */
  private keep(bytes: Buffer, at: number, needs: number): number {
    this.kept = Buffer.allocUnsafe(needs);
    this.keptNeeds = needs;
    this.keptLength = bytes.copy(this.kept, 0, at);
    return bytes.length;
  }

  private complete(bytes: Buffer, at: number): number {
    const count = Math.min(this.keptNeeds - this.keptLength, bytes.length - at);
    bytes.copy(this.kept!, this.keptLength, at, at + count);
    this.keptLength += count;
    if (this.keptLength === this.keptNeeds) this.completed();
    return at + count;
  }

  private completed(): void {
    const bytes = this.kept!;
    if (this.keptNeeds === frameHeadBytes) {
      const needs = this.needs(bytes, 0);
      if (needs > frameHeadBytes) {
        this.keep(bytes, 0, needs);
        return;
      }
    }
    this.kept = null;
    this.deliver(bytes, 0);
  }
}
