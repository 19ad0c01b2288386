/** Frames on their way out: put side by side in a buffer that leaves once a turn, or when it is full. */
import type { Connection } from "../net/connection.ts";
import { Flag, FrameType, frameHeadBytes, writeFrameHead, writeUint32 } from "./frames.ts";
import { flushAfterTurn } from "./turn.ts";

/** What a slow peer makes us hold; one that takes it all at once is given more next time, for half the cost per byte. */
const smallBytes = 64 * 1024;
const largeBytes = 256 * 1024;
/** Buffers that no connection is using at the moment. */
const spareSmall: Buffer[] = [];
const spareLarge: Buffer[] = [];
const mostSpare = 8;

function recycle(buffer: Buffer): void {
  const spare = buffer.length === largeBytes ? spareLarge : spareSmall;
  if (spare.length < mostSpare) spare.push(buffer);
}

export class FrameOutput {
  private readonly connection: Connection;
  private readonly meter: { onBytes(received: number, sent: number): void };
  private buffer: Buffer | null = null;
  private length = 0;
  private waits = false;
  private isFast = false;
  /** Counts buffers that have left: a frame's place is good only while this stays. */
  private generation = 0;

  constructor(connection: Connection, meter: { onBytes(received: number, sent: number): void }) {
    this.connection = connection;
    this.meter = meter;
  }

  /** True while the socket takes no more: DATA has to wait then, or it would pile up here. */
  get blocked(): boolean {
    return this.connection.pendingBytes > 0;
  }

  /** A small frame of the connection or of a stream, whose payload is one or two numbers. */
  numbers(type: number, flags: number, streamId: number, first: number, second = -1): void {
    const size = second === -1 ? 4 : 8;
    const at = this.begin(size, type, flags, streamId);
    writeUint32(this.buffer!, at, first);
    if (second !== -1) writeUint32(this.buffer!, at + 4, second);
  }

  settingsAcknowledgement(): void {
    this.begin(0, FrameType.SETTINGS, Flag.ACK, 0);
  }

  /** @param detail for people, cut when it is long */
  goAway(lastId: number, code: number, detail: string): void {
    const payload = Buffer.alloc(8 + Math.min(detail.length, 200));
    writeUint32(payload, 0, lastId);
    writeUint32(payload, 4, code);
    payload.write(detail, 8, "latin1");
    this.frame(FrameType.GOAWAY, 0, 0, payload, 0, payload.length);
  }

  /** A frame without payload that ends its stream. */
  empty(type: number, streamId: number): void {
    this.begin(0, type, Flag.END_STREAM, streamId);
  }

  /** Payload `bytes[from, to)` in one frame. */
  frame(type: number, flags: number, streamId: number, bytes: Uint8Array, from: number, to: number): void {
    const at = this.begin(to - from, type, flags, streamId);
    if (from === 0 && to === bytes.length) this.buffer!.set(bytes, at);
    else this.buffer!.set(bytes.subarray(from, to), at);
  }

  /** A header block, in as many frames as it needs. */
  headers(streamId: number, block: Uint8Array, ends: boolean, frameSize: number): void {
    const end = ends ? Flag.END_STREAM : 0;
    const first = Math.min(block.length, frameSize);
    const only = first === block.length ? Flag.END_HEADERS : 0;
    this.frame(FrameType.HEADERS, end | only, streamId, block, 0, first);
    for (let from = first; from < block.length; from += frameSize) {
      const to = Math.min(block.length, from + frameSize);
      const last = to === block.length ? Flag.END_HEADERS : 0;
      this.frame(FrameType.CONTINUATION, last, streamId, block, from, to);
    }
  }

  /** Where the next frame will stand; see `endStreamAt`. */
  get place(): number {
    return this.generation * largeBytes + this.length;
  }

  /** Sets END_STREAM on the frame that stands there. Returns false when it has left already. */
  endStreamAt(place: number): boolean {
    const at = place - this.generation * largeBytes;
    if (at < 0 || this.buffer === null || at >= this.length) return false;
    this.buffer[at + 4]! |= Flag.END_STREAM;
    return true;
  }

  /** Makes room for a frame that is about to be written whole, so that its place is known before. */
  reserve(payloadBytes: number): void {
    if (this.buffer !== null && this.length + frameHeadBytes + payloadBytes > this.buffer.length) this.flush();
  }

  private begin(size: number, type: number, flags: number, streamId: number): number {
    this.reserve(size);
    this.buffer ??= this.take();
    if (!this.waits) {
      this.waits = true;
      flushAfterTurn(this);
    }
    const at = this.length;
    writeFrameHead(this.buffer, at, size, type, flags, streamId);
    this.length = at + frameHeadBytes + size;
    return at + frameHeadBytes;
  }

  private take(): Buffer {
    if (this.isFast) return spareLarge.pop() ?? Buffer.allocUnsafeSlow(largeBytes);
    return spareSmall.pop() ?? Buffer.allocUnsafeSlow(smallBytes);
  }

  /** Bytes as they are; only before any frame. */
  raw(bytes: Uint8Array): void {
    this.connection.write(bytes);
  }

  flush(): void {
    this.waits = false;
    const { buffer, length } = this;
    if (buffer === null) return;
    this.buffer = null;
    this.length = 0;
    this.generation++;
    this.meter.onBytes(0, length);
    const frames = buffer.subarray(0, length);
    if (this.blocked) {
      this.connection.write(Buffer.from(frames)); // a copy of its size: the whole buffer would be held for a few bytes
      recycle(buffer);
    } else if (this.connection.write(frames)) {
      if (length > smallBytes / 2) this.isFast = true;
      recycle(buffer);
    } else this.isFast = false; // the buffer is the connection's, until the socket has taken it
  }
}
