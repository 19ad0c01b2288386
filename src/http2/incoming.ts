/** Heads and content on their way in: from frames to the users of streams (RFC 9113 sections 5.1, 6.1, 6.2, 8.1). */
import { Closing } from "./closed-streams.ts";
import type { Http2Connection } from "./connection.ts";
import { ControlFrames } from "./control-frames.ts";
import { ConnectionFault, ErrorCode } from "./error-codes.ts";
import { FieldSection } from "./field-section.ts";
import { Cost, Gain } from "./floods.ts";
import type { FrameSink } from "./frame-reader.ts";
import { defaultFrameSize, Flag, FrameType, readUint31 } from "./frames.ts";
import { HeaderBlock } from "./header-block.ts";
import { HeaderDecoder } from "./header-decoder.ts";
import { headerTableBytes } from "./header-table.ts";
import type { Http2Limits } from "./owner.ts";
import { Stream } from "./stream.ts";

/** A list that is so many times too large is not a mistake. */
const bombFactor = 16;

export class Incoming implements FrameSink {
  readonly control: ControlFrames;
  private readonly c: Http2Connection;
  private readonly limits: Http2Limits;
  private readonly decoder = new HeaderDecoder(headerTableBytes);
  private readonly section: FieldSection;
  private readonly block: HeaderBlock;
  private blockSince = 0;
  /** Stream of the DATA frame at hand; null when its content is dropped. */
  private current: Stream | null = null;
  private currentEnds = false;

  constructor(connection: Http2Connection, limits: Http2Limits) {
    this.c = connection;
    this.limits = limits;
    this.control = new ControlFrames(connection);
    this.section = new FieldSection(limits);
    this.block = new HeaderBlock(limits.headBytes * 2 + defaultFrameSize);
  }

  /** True when a header block has begun and does not come to its end. */
  isLate(now: number): boolean {
    return this.block.streamId !== 0 && now - this.blockSince > this.limits.headTimeout;
  }

  begins(type: number, flags: number, streamId: number, length: number): void {
    const { block } = this;
    if (block.streamId !== 0 && (type !== FrameType.CONTINUATION || streamId !== block.streamId))
      throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "another frame in the middle of a header block");
    this.control.begins(type, flags, streamId, length);
  }

  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (type === FrameType.HEADERS) this.onHeaders(flags, streamId, bytes, start, end);
    else if (type === FrameType.CONTINUATION) this.onContinuation(flags, streamId, bytes, start, end);
    else this.control.frame(type, flags, streamId, bytes, start, end);
  }

  // -------------------------------------------------------------------------------------------
  // Heads

  private onHeaders(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    let from = start;
    let to = end;
    if ((flags & Flag.PADDED) !== 0) to -= from < end ? bytes[from++]! : 1;
    if ((flags & Flag.PRIORITY) !== 0) {
      if (from + 5 <= to && readUint31(bytes, from) === streamId)
        throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a stream that depends on itself");
      from += 5;
    }
    if (from > to) throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "HEADERS with more padding than payload");
    const ends = (flags & Flag.END_STREAM) !== 0;
    if ((flags & Flag.END_HEADERS) !== 0) this.onBlock(streamId, ends, bytes, from, to);
    else {
      this.block.open(streamId, ends);
      this.blockSince = this.c.wheel.now;
      this.block.add(bytes, from, to);
    }
  }

  private onContinuation(flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    const { block } = this;
    if (block.streamId === 0)
      throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "CONTINUATION without a header block");
    if (block.add(bytes, start, end)) this.c.floods.spend(Cost.EMPTY, "CONTINUATION");
    if ((flags & Flag.END_HEADERS) === 0) return;
    const { ends } = block;
    const whole = block.close();
    this.onBlock(streamId, ends, whole, 0, whole.length);
  }

  /** A whole block: decoded whatever becomes of it, as the tables of both sides must stay the same. */
  private onBlock(streamId: number, ends: boolean, bytes: Buffer, from: number, to: number): void {
    const { section } = this;
    const stream = this.c.streams.get(streamId);
    const opens = stream === undefined && this.opens(streamId);
    section.begin(opens ? "request" : stream === undefined || stream.headSeen ? "trailers" : "response");
    this.decoder.decode(bytes, from, to, section);
    section.end();
    if (section.listBytes > this.limits.headBytes * bombFactor)
      throw new ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, `a list of fields of ${section.listBytes} bytes`);
    if (opens) this.open(streamId, ends);
    else if (stream !== undefined) this.onHead(stream, ends);
  }

  /** True for a stream that this block opens. */
  private opens(streamId: number): boolean {
    const fresh = this.c.server && (streamId & 1) === 1 && streamId > this.c.lastPeerId;
    if (!fresh) this.lateHeaders(streamId);
    return fresh;
  }

  private lateHeaders(streamId: number): void {
    if (this.c.isIdle(streamId))
      throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, `HEADERS on stream ${streamId}, which the peer cannot open`);
    const how = this.c.closed.closing(streamId);
    if (how === Closing.UNKNOWN)
      throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, `HEADERS on stream ${streamId} after a later one`);
    if (how === Closing.ENDED)
      throw new ConnectionFault(ErrorCode.STREAM_CLOSED, `HEADERS on stream ${streamId}, which has ended`);
    if (how === Closing.RESET_BY_PEER) this.c.resetId(streamId, ErrorCode.STREAM_CLOSED);
  }

  private open(streamId: number, ends: boolean): void {
    const { c, section } = this;
    if (!c.admits(streamId)) return;
    const stream = new Stream(c, streamId, c.peer.initialWindow);
    stream.headSeen = true;
    stream.remoteEnded = ends;
    stream.declared = section.contentLength;
    c.streams.set(streamId, stream);
    const fault = ends && section.contentLength > 0 ? "content-length without content" : section.fault;
    if (fault !== "") {
      c.owner.onMalformed(stream, fault);
      c.faulty(stream, fault);
    } else c.owner.onRequest(stream, section, ends);
  }

  /** A head on a stream that is open: an answer's, or trailers. */
  private onHead(stream: Stream, ends: boolean): void {
    const { c, section } = this;
    if (stream.remoteEnded) c.streamFault(stream, ErrorCode.STREAM_CLOSED, "HEADERS after the end of the stream");
    else if (section.fault !== "") c.faulty(stream, section.fault);
    else if (section.tooLarge) c.streamFault(stream, ErrorCode.ENHANCE_YOUR_CALM, "the list of fields is too large");
    else if (stream.headSeen) this.onTrailers(stream, ends);
    else if (section.status < 200) this.onInformation(stream, ends);
    else this.onAnswer(stream, ends);
  }

  private onInformation(stream: Stream, ends: boolean): void {
    if (ends || this.section.status === 101) this.c.faulty(stream, `an answer of ${this.section.status}`);
    else {
      this.c.floods.spend(Cost.CONTROL, "1xx answers");
      stream.user.onHead(this.section, false);
    }
  }

  private onAnswer(stream: Stream, ends: boolean): void {
    const { section } = this;
    const { status } = section;
    stream.headSeen = true;
    // These declare what another answer would have had (RFC 9110 section 8.6).
    stream.declared = stream.asksNoContent || status === 204 || status === 304 ? -1 : section.contentLength;
    if (ends && stream.declared > 0) this.c.faulty(stream, "content-length without content");
    else {
      if (ends) stream.endedRemotely();
      stream.user.onHead(section, ends);
    }
  }

  private onTrailers(stream: Stream, ends: boolean): void {
    if (!ends) this.c.faulty(stream, "trailers that do not end the stream");
    else if (stream.declared !== -1 && stream.declared !== stream.received)
      this.c.faulty(stream, "content differs from content-length");
    else {
      const { lines } = this.section;
      stream.endedRemotely();
      stream.user.onTrailers(lines);
    }
  }

  // -------------------------------------------------------------------------------------------
  // Content

  dataBegins(flags: number, streamId: number, length: number, content: number): void {
    const { c } = this;
    const ends = (flags & Flag.END_STREAM) !== 0;
    c.receives(length);
    const stream = c.streams.get(streamId);
    this.current = stream !== undefined && this.takesData(stream, length, content, ends) ? stream : null;
    this.currentEnds = ends;
    if (stream === undefined) this.lateData(streamId);
    if (content === 0 && !ends) c.floods.spend(Cost.EMPTY, "empty DATA");
    else if (this.current !== null) c.floods.gain(Gain.DATA_RECEIVED);
    if (length === content) return;
    c.taken(length - content); // nobody waits for padding
    this.current?.credit(length - content);
  }

  private takesData(stream: Stream, length: number, content: number, ends: boolean): boolean {
    const { c } = this;
    const total = stream.received + content;
    stream.receiveWindow -= length;
    if (stream.remoteEnded) c.streamFault(stream, ErrorCode.STREAM_CLOSED, "DATA after the end of the stream");
    else if (stream.receiveWindow < 0)
      c.streamFault(stream, ErrorCode.FLOW_CONTROL_ERROR, "DATA beyond the window of the stream");
    else if (!stream.headSeen) c.faulty(stream, "DATA before the head");
    else if (stream.declared !== -1 && (total > stream.declared || (ends && total < stream.declared)))
      c.faulty(stream, "content differs from content-length");
    else return true;
    return false;
  }

  private lateData(streamId: number): void {
    const how = this.c.closed.closing(streamId);
    if (how === Closing.ENDED)
      throw new ConnectionFault(ErrorCode.STREAM_CLOSED, `DATA on stream ${streamId}, which has ended`);
    if (how === Closing.RESET_BY_US) {
      this.c.floods.spend(Cost.CONTROL, "DATA on streams that were reset"); // it was under way, a window of it at most
      return;
    }
    this.c.floods.spend(Cost.STREAM_FAULT, "DATA on closed streams");
    this.c.resetId(streamId, ErrorCode.STREAM_CLOSED);
  }

  data(bytes: Buffer, last: boolean): void {
    const stream = this.current;
    if (last) this.current = null;
    if (stream === null || stream.reset) this.c.taken(bytes.length);
    else stream.deliver(bytes, last && this.currentEnds);
  }
}
