/** All frames but heads and content: what is checked before their payload comes, and what they do (RFC 9113 section 6). */
import type { Http2Connection } from "./connection.ts";
import { ConnectionFault, ErrorCode, errorName } from "./error-codes.ts";
import { Cost } from "./floods.ts";
import { Flag, FrameType, mostOf31Bits, readUint31, readUint32 } from "./frames.ts";
import { parametersOf } from "./settings.ts";

/** Payload of the PING that measures when everything sent before our first GOAWAY has come. */
export const drainPing = [0x6472_6169, 0x6e69_6e67] as const;

/** Length that the payload of a type must have; -1 for any. */
const fixedLength = [-1, -1, 5, 4, -1, -1, 8, -1, 4, -1];

export class ControlFrames {
  settingsAcknowledged = false;
  private readonly c: Http2Connection;
  private first = true;

  constructor(connection: Http2Connection) {
    this.c = connection;
  }

  /** What a frame's head alone can do wrong. */
  begins(type: number, flags: number, streamId: number, length: number): void {
    if (this.first) this.beginsFirst(type, flags);
    const wanted = fixedLength[type] ?? -1;
    if (wanted !== -1 && length !== wanted)
      throw new ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, `a frame of type ${type} with ${length} bytes`);
    if (type === FrameType.SETTINGS) this.settingsBegin(flags, length);
    const ofStream = type <= FrameType.RST_STREAM || type === FrameType.CONTINUATION;
    const ofConnection = type === FrameType.SETTINGS || type === FrameType.PING || type === FrameType.GOAWAY;
    if (ofStream ? streamId === 0 : ofConnection && streamId !== 0)
      throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, `a frame of type ${type} on stream ${streamId}`);
    if (type === FrameType.PUSH_PROMISE) throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "PUSH_PROMISE");
    if (type === FrameType.GOAWAY && length < 8) throw new ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, "short GOAWAY");
    const needsOpen = type === FrameType.DATA || type === FrameType.RST_STREAM || type === FrameType.WINDOW_UPDATE;
    if (needsOpen && streamId !== 0 && this.c.isIdle(streamId))
      throw new ConnectionFault(
        ErrorCode.PROTOCOL_ERROR,
        `a frame of type ${type} on stream ${streamId}, which is idle`,
      );
  }

  private beginsFirst(type: number, flags: number): void {
    this.first = false;
    if (type !== FrameType.SETTINGS || (flags & Flag.ACK) !== 0)
      throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "the first frame is not SETTINGS");
  }

  private settingsBegin(flags: number, length: number): void {
    if ((flags & Flag.ACK) !== 0 ? length !== 0 : length % 6 !== 0)
      throw new ConnectionFault(ErrorCode.FRAME_SIZE_ERROR, `SETTINGS of ${length} bytes`);
  }

  frame(type: number, flags: number, streamId: number, bytes: Buffer, start: number, end: number): void {
    if (type === FrameType.WINDOW_UPDATE) this.onWindowUpdate(streamId, readUint31(bytes, start));
    else if (type === FrameType.RST_STREAM) this.c.resetByPeer(streamId, readUint32(bytes, start));
    else if (type === FrameType.SETTINGS) this.onSettings(flags, bytes, start, end);
    else if (type === FrameType.PING) this.onPing(flags, readUint32(bytes, start), readUint32(bytes, start + 4));
    else if (type === FrameType.GOAWAY) this.onGoAway(bytes, start, end);
    else if (type === FrameType.PRIORITY) this.onPriority(streamId, bytes, start);
    else this.c.floods.spend(Cost.CONTROL, `frames of type ${type}`); // unknown ones are ignored (section 5.5)
  }

  private onPriority(streamId: number, bytes: Buffer, start: number): void {
    this.c.floods.spend(Cost.CONTROL, "PRIORITY");
    if (readUint31(bytes, start) === streamId)
      throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "a stream that depends on itself");
  }

  private onSettings(flags: number, bytes: Buffer, start: number, end: number): void {
    const { c } = this;
    if ((flags & Flag.ACK) !== 0) {
      if (this.settingsAcknowledged) c.floods.spend(Cost.SETTINGS, "acknowledgements of SETTINGS");
      this.settingsAcknowledged = true;
      return;
    }
    c.floods.spend(Cost.SETTINGS, "SETTINGS");
    const { peer } = c;
    const { initialWindow, headerTableSize } = peer;
    for (const [id, value] of parametersOf(bytes, start, end)) peer.apply(id, value);
    if (peer.headerTableSize !== headerTableSize) c.encoder.setTableSize(peer.headerTableSize);
    c.output.settingsAcknowledgement();
    if (peer.initialWindow !== initialWindow) c.shiftWindows(peer.initialWindow - initialWindow);
    c.settingsChanged();
  }

  private onPing(flags: number, first: number, second: number): void {
    const { c } = this;
    if ((flags & Flag.ACK) === 0) {
      c.floods.spend(Cost.CONTROL, "PING");
      c.output.numbers(FrameType.PING, Flag.ACK, 0, first, second);
    } else if (c.state === "draining" && first === drainPing[0] && second === drainPing[1]) c.leave();
    else c.floods.spend(Cost.CONTROL, "acknowledgements of PING");
  }

  private onGoAway(bytes: Buffer, start: number, end: number): void {
    const code = readUint32(bytes, start + 4);
    const detail = bytes.toString("latin1", start + 8, Math.min(end, start + 8 + 200));
    this.c.floods.spend(Cost.CONTROL, "GOAWAY");
    this.c.peerGoesAway(readUint31(bytes, start), code, `${errorName(code)}${detail === "" ? "" : ` (${detail})`}`);
  }

  private onWindowUpdate(streamId: number, increment: number): void {
    const { c } = this;
    c.floods.spend(Cost.CONTROL, "WINDOW_UPDATE");
    if (streamId === 0) {
      if (increment === 0) throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, "WINDOW_UPDATE of 0");
      if (c.sender.window + increment > mostOf31Bits)
        throw new ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "the window of the connection overflows");
      c.sender.window += increment;
      c.sender.pump();
      return;
    }
    const stream = c.streams.get(streamId);
    if (stream === undefined) return; // it was under way when the stream closed
    if (increment === 0) c.faulty(stream, "WINDOW_UPDATE of 0");
    else if (stream.sendWindow + increment > mostOf31Bits)
      c.streamFault(stream, ErrorCode.FLOW_CONTROL_ERROR, "the window of the stream overflows");
    else {
      stream.sendWindow += increment;
      c.sender.schedule(stream);
      c.sender.pump();
    }
  }
}
