/** An upstream that speaks HTTP/2 frame by frame, as a test's script says. */
import {
  ACK,
  block,
  clientPreface,
  END_HEADERS,
  END_STREAM,
  type Frame,
  frame,
  framesOf,
  types,
} from "./http2-peer.ts";
import { type RawConnection, RawUpstream } from "./raw.ts";

/** One connection to it. */
export class UpstreamEnd {
  readonly raw: RawConnection;
  /** Frames that were looked at. */
  seen = 0;

  constructor(raw: RawConnection) {
    this.raw = raw;
  }

  get frames(): Frame[] {
    const received = Buffer.from(this.raw.received, "latin1");
    return received.length < clientPreface.length ? [] : framesOf(received.subarray(clientPreface.length));
  }

  /** Streams in the order in which they were opened. */
  get streams(): number[] {
    return this.frames.filter(({ type }) => type === types.HEADERS).map(({ stream }) => stream);
  }

  send(type: number, flags: number, stream: number, payload: Uint8Array | string = ""): void {
    this.raw.send(frame(type, flags, stream, payload));
  }

  answer(stream: number, body: string, fields: readonly (readonly [string, string])[] = []): void {
    this.send(types.HEADERS, END_HEADERS, stream, block([[":status", "200"], ...fields]));
    this.send(types.DATA, END_STREAM, stream, body);
  }
}

export type FrameScript = (end: UpstreamEnd, frame: Frame) => void;

export class Http2Upstream {
  readonly ends: UpstreamEnd[] = [];
  private readonly raw: RawUpstream;
  private readonly settings: Uint8Array;

  /** @param script called for each frame that comes, SETTINGS aside */
  constructor(script: FrameScript, settings: Uint8Array = Buffer.alloc(0)) {
    this.settings = settings;
    this.raw = new RawUpstream((connection) => this.look(connection, script));
  }

  get port(): number {
    return this.raw.port;
  }

  stop(): void {
    this.raw.stop();
  }

  private look(connection: RawConnection, script: FrameScript): void {
    let end = this.ends.find(({ raw }) => raw === connection);
    if (end === undefined) {
      end = new UpstreamEnd(connection);
      this.ends.push(end);
      end.send(types.SETTINGS, 0, 0, this.settings);
    }
    const { frames } = end;
    while (end.seen < frames.length) {
      const next = frames[end.seen++]!;
      if (next.type === types.SETTINGS && (next.flags & ACK) === 0) end.send(types.SETTINGS, ACK, 0);
      else if (next.type !== types.SETTINGS) script(end, next);
    }
  }
}

/** True for the frame that ends a request. */
export function endsRequest({ type, flags }: Frame): boolean {
  return (type === types.HEADERS || type === types.DATA) && (flags & END_STREAM) !== 0;
}
