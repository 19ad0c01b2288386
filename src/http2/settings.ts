/** SETTINGS: RFC 9113 section 6.5. */
import { ConnectionFault, ErrorCode } from "./error-codes.ts";
import { defaultFrameSize, defaultWindow, mostOf31Bits, readUint32, writeUint32 } from "./frames.ts";

export const Setting = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
} as const;

/** What the peer has told us, and what holds until it does. */
export class PeerSettings {
  headerTableSize = 4096;
  maxConcurrentStreams = Number.POSITIVE_INFINITY;
  initialWindow = defaultWindow;
  frameSize = defaultFrameSize;

  /**
   * Takes over one parameter; those we do not know are ignored, and those we never need are only checked.
   * @throws ConnectionFault for a value that is not allowed
   */
  apply(id: number, value: number): void {
    if (id === Setting.HEADER_TABLE_SIZE) this.headerTableSize = value;
    else if (id === Setting.MAX_CONCURRENT_STREAMS) this.maxConcurrentStreams = value;
    else if (id === Setting.ENABLE_PUSH && value > 1)
      throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, `ENABLE_PUSH is ${value}`);
    else if (id === Setting.INITIAL_WINDOW_SIZE) {
      if (value > mostOf31Bits)
        throw new ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, `INITIAL_WINDOW_SIZE is ${value}`);
      this.initialWindow = value;
    } else if (id === Setting.MAX_FRAME_SIZE) {
      if (value < defaultFrameSize || value > 0xff_ffff)
        throw new ConnectionFault(ErrorCode.PROTOCOL_ERROR, `MAX_FRAME_SIZE is ${value}`);
      this.frameSize = Math.min(value, defaultFrameSize); // larger ones would only make streams wait for each other
    }
  }
}

/** The parameters of a SETTINGS payload, in order. */
export function* parametersOf(bytes: Uint8Array, start: number, end: number): Generator<[id: number, value: number]> {
  for (let at = start; at + 6 <= end; at += 6) yield [(bytes[at]! << 8) | bytes[at + 1]!, readUint32(bytes, at + 2)];
}

/** The payload that says these. */
export function settingsPayload(parameters: readonly (readonly [id: number, value: number])[]): Uint8Array {
  const payload = new Uint8Array(parameters.length * 6);
  parameters.forEach(([id, value], index) => {
    payload[index * 6 + 1] = id;
    writeUint32(payload, index * 6 + 2, value);
  });
  return payload;
}
