/** The error codes of RFC 9113 section 7, and how a fault travels inside. */

export const ErrorCode = {
  NO_ERROR: 0,
  PROTOCOL_ERROR: 1,
  INTERNAL_ERROR: 2,
  FLOW_CONTROL_ERROR: 3,
  SETTINGS_TIMEOUT: 4,
  STREAM_CLOSED: 5,
  FRAME_SIZE_ERROR: 6,
  REFUSED_STREAM: 7,
  CANCEL: 8,
  COMPRESSION_ERROR: 9,
  CONNECT_ERROR: 10,
  ENHANCE_YOUR_CALM: 11,
  INADEQUATE_SECURITY: 12,
  HTTP_1_1_REQUIRED: 13,
} as const;

const names = Object.keys(ErrorCode);

/** `PROTOCOL_ERROR`, or `error 77` for a code nobody has declared. */
export function errorName(code: number): string {
  return names[code] ?? `error ${code}`;
}

/**
 * A fault of the whole connection: thrown while frames are read, and answered with GOAWAY. At most one per connection,
 * so its cost does not matter.
 */
export class ConnectionFault extends Error {
  readonly code: number;
  constructor(code: number, detail: string) {
    super(detail);
    this.code = code;
  }
}
