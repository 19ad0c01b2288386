/** What a connection of HTTP/2 is given, and whom it tells. */
import type { FieldSection, SectionLimits } from "./field-section.ts";
import type { Stream } from "./stream.ts";

export interface Http2Limits extends SectionLimits {
  /** Streams the peer may have open at once. */
  readonly streams: number;
  /** Milliseconds for a header block, from its first frame to its last. */
  readonly headTimeout: number;
}

/** Who owns the connection. */
export interface Http2Owner {
  /** Bytes that came, and bytes that were sent, frames and all. */
  onBytes(received: number, sent: number): void;
  /** Server role: the head of a request is malformed; it may be answered before the stream is reset. */
  onMalformed(stream: Stream, detail: string): void;
  /** Server role: a request has come; sets `stream.user`. The head is valid during the call. */
  onRequest(stream: Stream, head: FieldSection, ends: boolean): void;
  /** Another stream may be opened, or no more ever (`accepts`). */
  onRoom(): void;
  /** About once a second. */
  onTick(now: number): void;
  /** It ends because of a fault, which is ours to report; `onClosed` follows. */
  onFault(code: number, detail: string): void;
  /** Once: nothing can be sent or received any more. All streams were told. */
  onClosed(): void;
}
