/** One stream: what may be sent and received on it, and what waits for that (RFC 9113 section 5.1). */
import { ErrorCode } from "./error-codes.ts";
import type { FieldSection } from "./field-section.ts";
import { defaultWindow, FrameType } from "./frames.ts";
import type { HeaderEncoder } from "./header-encoder.ts";
import type { StreamSender } from "./stream-sender.ts";

/**
 * Why a stream ended: the peer surely did nothing with it (`refused`), reset it, broke the rules on it (`fault`), or the
 * connection is gone (`lost`).
 */
export type ResetHow = "refused" | "reset" | "fault" | "lost";

/** Who uses a stream. The calls come from the socket, or from a drain; `onReset` also from a call that finds a fault. */
export interface StreamUser {
  /** Client role: the head of an answer, also of a 1xx one. It is valid during the call. */
  onHead(head: FieldSection, ends: boolean): void;
  /** Content. The peer may send as much again only when `stream.taken` says that it was taken. */
  onBody(bytes: Buffer, ends: boolean): void;
  /** Field lines, each with its CRLF; the stream ends with them. */
  onTrailers(lines: string): void;
  /** What `write` had to keep has left. */
  onDrain(): void;
  /** Once, when the stream ends other than by END_STREAM. */
  onReset(how: ResetHow, detail: string, code: number): void;
}

export const nobody: StreamUser = { onHead() {}, onBody() {}, onTrailers() {}, onDrain() {}, onReset() {} };

/** What a stream asks of its connection. */
export interface StreamHost {
  readonly sender: StreamSender;
  readonly encoder: HeaderEncoder;
  /** Both sides have ended it. */
  ended(stream: Stream): void;
  resetStream(stream: Stream, code: number): void;
  announce(streamId: number, increment: number): void;
  /** Content was taken, or thrown away: counts for the connection's window. */
  taken(count: number): void;
}

export class Stream {
  readonly id: number;
  user: StreamUser = nobody;
  /** Bytes of DATA the peer allows now; negative after it has shrunk its initial window (section 6.9.2). */
  sendWindow: number;
  /** Bytes of DATA the peer may still send. */
  receiveWindow = defaultWindow;
  localEnded = false;
  remoteEnded = false;
  /** Reset by either side, or gone with its connection. */
  reset = false;
  /** A final head was received; what follows are trailers. */
  headSeen = false;
  /** A final head was sent. */
  headSent = false;
  /** Client role: the request was HEAD. */
  asksNoContent = false;
  /** Content declared by the peer, -1 when not; and received. */
  declared = -1;
  received = 0;
  /** Bytes that wait for a window or for the socket. */
  queued = 0;
  /** @internal in the sender's list */
  scheduled = false;
  /** @internal where its last frame stands in the output, if that can still end it */
  place = -1;
  private readonly host: StreamHost;
  private readonly queue: Uint8Array[] = [];
  private trailers = "";
  private endWaits = false;
  private finishes = false;
  private overdue = false;
  private wantsDrain = false;
  private unannounced = 0;
  private untaken = 0;

  constructor(host: StreamHost, id: number, sendWindow: number) {
    this.host = host;
    this.id = id;
    this.sendWindow = sendWindow;
  }

  /** Server role: the final head of the answer, as HTTP/1 text. */
  respond(head: string, ends: boolean): void {
    if (this.reset) return;
    this.headSent = true;
    this.host.sender.head(this, this.host.encoder.response(head), ends);
  }

  /** Server role: the head of a 1xx answer. */
  inform(head: string): void {
    if (this.reset || this.headSent) return;
    this.host.sender.head(this, this.host.encoder.response(head), false);
    this.place = -1;
  }

  /** Client role: the head of the request, as HTTP/1 text. */
  request(head: string, scheme: string, ends: boolean): void {
    if (this.reset) return;
    this.headSent = true;
    this.host.sender.head(this, this.host.encoder.request(head, scheme), ends);
  }

  /** Writes content. Returns false when some had to be kept: `onDrain` follows. */
  write(bytes: Uint8Array): boolean {
    if (this.localEnded || this.reset || this.endWaits) return true;
    const from = this.queued > 0 ? 0 : this.host.sender.send(this, bytes, 0, bytes.length);
    if (from === bytes.length) return true;
    this.queue.push(from === 0 ? bytes : bytes.subarray(from));
    this.queued += bytes.length - from;
    this.wantsDrain = true;
    this.host.sender.schedule(this);
    return false;
  }

  /** Nothing follows but these trailers: field lines, each with its CRLF, or none. */
  end(trailers = ""): void {
    if (this.localEnded || this.reset) return;
    this.trailers = trailers;
    if (this.queued > 0) this.endWaits = true;
    else this.endNow();
  }

  /** Ends it at once, in both directions. */
  cancel(code: number): void {
    if (!this.reset && !(this.localEnded && this.remoteEnded)) this.host.resetStream(this, code);
  }

  /** Content was taken by whom it is for: the peer may send so much more, which is told in large steps. */
  taken(count: number): void {
    const counted = Math.min(count, this.untaken);
    this.untaken -= counted;
    this.host.taken(counted);
    this.credit(counted);
  }

  /** @internal content has come */
  deliver(bytes: Buffer, ends: boolean): void {
    if (this.finishes) {
      this.host.taken(bytes.length);
      if (ends) this.endedRemotely();
      return;
    }
    this.received += bytes.length;
    this.untaken += bytes.length;
    if (ends) this.endedRemotely();
    this.user.onBody(bytes, ends);
  }

  /** @internal what nobody will take any more counts as taken */
  release(): void {
    this.host.taken(this.untaken);
    this.untaken = 0;
  }

  /** @internal padding needs no user */
  credit(count: number): void {
    if (this.remoteEnded || this.reset) return;
    this.unannounced += count;
    if (this.unannounced < defaultWindow / 2) return;
    this.receiveWindow += this.unannounced;
    this.host.announce(this.id, this.unannounced);
    this.unannounced = 0;
  }

  /** @internal sends at most one frame of what is queued */
  sendQueued(most: number): void {
    const first = this.queue[0]!;
    const count = this.host.sender.send(this, first, 0, Math.min(first.length, most));
    this.queued -= count;
    if (count < first.length) this.queue[0] = first.subarray(count);
    else this.queue.shift();
    if (this.queued === 0) this.drained();
  }

  private drained(): void {
    if (this.endWaits) this.endNow();
    else if (this.wantsDrain) {
      this.wantsDrain = false;
      this.user.onDrain();
    }
  }

  /** Nothing follows, and what the peer still sends is for nobody. */
  finish(): void {
    this.user = nobody;
    this.finishes = true;
    if (!this.endWaits) this.end();
  }

  /**
   * @internal Called at each tick: tells a peer that goes on sending although it has its whole answer to stop (section
   * 8.1). Not at once: clients are known that lose the answer when both come together.
   */
  dismiss(): void {
    if (!this.finishes || !this.localEnded) return;
    if (this.overdue) this.cancel(ErrorCode.NO_ERROR);
    this.overdue = true;
  }

  private endNow(): void {
    this.endWaits = false;
    const { sender } = this.host;
    if (this.trailers !== "") sender.trailers(this, this.trailers);
    else if (!sender.output.endStreamAt(this.place)) sender.output.empty(FrameType.DATA, this.id);
    this.endedLocally();
  }

  /** @internal END_STREAM was sent */
  endedLocally(): void {
    this.localEnded = true;
    if (this.remoteEnded) this.host.ended(this);
  }

  /** @internal END_STREAM was received */
  endedRemotely(): void {
    this.remoteEnded = true;
    if (this.localEnded) this.host.ended(this);
  }

  /** @internal tells the user, once */
  broken(how: ResetHow, detail: string, code: number): void {
    if (this.reset) return;
    this.reset = true;
    this.queue.length = 0;
    this.queued = 0;
    const { user } = this;
    this.user = nobody;
    user.onReset(how, detail, code);
  }

  /** Let go without a word to the user. */
  abandon(): void {
    this.user = nobody;
    this.cancel(ErrorCode.CANCEL);
  }
}
