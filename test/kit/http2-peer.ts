/**
 * One end of an HTTP/2 connection as plain frames, written for tests without a line of `src/http2`: header blocks are
 * literals without compression, or given as bytes.
 */
import { type RawConnection, rawClient } from "./raw.ts";
import { until } from "./until.ts";

export const types = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
  CONTINUATION: 9,
} as const;

export const END_STREAM = 1;
export const ACK = 1;
export const END_HEADERS = 4;
export const PADDED = 8;

export const clientPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

export interface Frame {
  readonly type: number;
  readonly flags: number;
  readonly stream: number;
  readonly payload: Buffer;
}

export function frame(type: number, flags: number, stream: number, payload: Uint8Array | string = ""): Buffer {
  const bytes = Buffer.from(typeof payload === "string" ? Buffer.from(payload, "latin1") : payload);
  const head = Buffer.alloc(9);
  head.writeUIntBE(bytes.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, bytes]);
}

/** A number of 32 bits as a payload. */
export function uint32(...values: number[]): Buffer {
  const bytes = Buffer.alloc(values.length * 4);
  values.forEach((value, at) => {
    bytes.writeUInt32BE(value >>> 0, at * 4);
  });
  return bytes;
}

export function setting(id: number, value: number): Buffer {
  return Buffer.concat([Buffer.from([id >> 8, id & 0xff]), uint32(value)]);
}

function literal(text: string): Buffer {
  const bytes = Buffer.from(text, "latin1");
  const length: number[] = [];
  if (bytes.length < 127) length.push(bytes.length);
  else {
    length.push(127);
    let rest = bytes.length - 127;
    for (; rest >= 128; rest >>= 7) length.push((rest & 127) | 128);
    length.push(rest);
  }
  return Buffer.concat([Buffer.from(length), bytes]);
}

/** A header block of literals that are not indexed. */
export function block(fields: readonly (readonly [string, string])[]): Buffer {
  return Buffer.concat(fields.flatMap(([name, value]) => [Buffer.from([0]), literal(name), literal(value)]));
}

export function requestFields(path = "/", more: readonly (readonly [string, string])[] = [], method = "GET") {
  return [[":method", method], [":scheme", "http"], [":path", path], [":authority", "app.test"], ...more] as const;
}

/** Cuts what was received into frames; the end may be missing. */
export function framesOf(received: Buffer): Frame[] {
  const frames: Frame[] = [];
  for (let at = 0; at + 9 <= received.length; ) {
    const length = received.readUIntBE(at, 3);
    if (at + 9 + length > received.length) break;
    const payload = received.subarray(at + 9, at + 9 + length);
    frames.push({ type: received[at + 3]!, flags: received[at + 4]!, stream: received.readUInt32BE(at + 5), payload });
    at += 9 + length;
  }
  return frames;
}

/** A client that sends what the test says. */
export class Http2Peer {
  readonly raw: RawConnection;

  constructor(raw: RawConnection) {
    this.raw = raw;
  }

  /** Connects, sends preface and SETTINGS, and acknowledges those of the server. */
  static async open(port: number, settings: Uint8Array = Buffer.alloc(0)): Promise<Http2Peer> {
    const peer = new Http2Peer(await rawClient(port));
    peer.raw.send(Buffer.concat([Buffer.from(clientPreface), frame(types.SETTINGS, 0, 0, settings)]));
    peer.send(types.SETTINGS, ACK, 0);
    return peer;
  }

  get frames(): Frame[] {
    return framesOf(Buffer.from(this.raw.received, "latin1"));
  }

  of(type: number, stream?: number): Frame[] {
    return this.frames.filter((one) => one.type === type && (stream === undefined || one.stream === stream));
  }

  send(type: number, flags: number, stream: number, payload: Uint8Array | string = ""): void {
    this.raw.send(frame(type, flags, stream, payload));
  }

  request(stream: number, path = "/", more: readonly (readonly [string, string])[] = []): void {
    this.send(types.HEADERS, END_HEADERS | END_STREAM, stream, block(requestFields(path, more)));
  }

  /** The error code of the GOAWAY or RST_STREAM that came last, or undefined. */
  get goAway(): number | undefined {
    return this.of(types.GOAWAY).at(-1)?.payload.readUInt32BE(4);
  }

  resetOf(stream: number): number | undefined {
    return this.of(types.RST_STREAM, stream).at(-1)?.payload.readUInt32BE(0);
  }

  /** Content of a stream so far. */
  content(stream: number): Buffer {
    return Buffer.concat(this.of(types.DATA, stream).map(({ payload }) => payload));
  }

  ended(stream: number): boolean {
    const ends = ({ type, flags }: Frame) =>
      (type === types.DATA || type === types.HEADERS) && (flags & END_STREAM) !== 0;
    return this.frames.some((one) => one.stream === stream && ends(one));
  }

  async until(what: string, holds: () => boolean, deadlineMs?: number): Promise<void> {
    const seen = () => this.frames.map(({ type, flags, stream }) => `${type}/${flags}/${stream}`).slice(-12);
    try {
      await until(holds, { what, ...(deadlineMs !== undefined && { deadlineMs }) });
    } catch (error) {
      throw new Error(`${error instanceof Error ? error.message : error}; last frames: ${seen().join(" ")}`);
    }
  }

  close(): void {
    this.raw.close();
  }
}
