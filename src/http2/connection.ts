/**
 * One HTTP/2 connection, of either role: RFC 9113.
 *
 *   socket -> FrameReader -> Incoming, ControlFrames -> Stream -> its user
 *   its user -> Stream -> StreamSender -> FrameOutput -> socket, once a turn
 *
 * What is wrong with a stream resets that stream; what is wrong with the connection, and what floods it, ends it with
 * GOAWAY. What the peer makes us hold is bounded: windows for content, `HeaderBlock` for heads, `Floods` for all else.
 */
import { Lingering } from "../http/lingering.ts";
import type { Connection, ConnectionOwner } from "../net/connection.ts";
import { Timed, type TimerWheel } from "../net/wheel.ts";
import { ClosedStreams, Closing } from "./closed-streams.ts";
import { drainPing } from "./control-frames.ts";
import { ConnectionFault, ErrorCode, errorName } from "./error-codes.ts";
import { Cost, Floods, Gain } from "./floods.ts";
import { FrameOutput } from "./frame-output.ts";
import { FrameReader } from "./frame-reader.ts";
import { defaultWindow, FrameType, mostOf31Bits, preface } from "./frames.ts";
import { HeaderEncoder } from "./header-encoder.ts";
import { Incoming } from "./incoming.ts";
import type { Http2Limits, Http2Owner } from "./owner.ts";
import { ReceiveWindow } from "./receive-window.ts";
import { PeerSettings, Setting, settingsPayload } from "./settings.ts";
import { nobody, Stream, type StreamHost } from "./stream.ts";
import { StreamSender } from "./stream-sender.ts";

/** What the peer may send on all streams together before some of it was taken. */
export const connectionWindow = 1024 * 1024;
/** How often a connection looks at its clock. */
const tickMs = 1000;
/** How long the peer may take to acknowledge our SETTINGS. */
const settingsMs = 10_000;
/** What the socket may owe the peer before nothing more is read from it: answers would only pile up. */
const mostPending = 64 * 1024;

/**
 * `draining`: the peer was told that no more streams are wanted, those under way are served. `leaving`: streams above
 * the last one are ignored. `closed`: nothing is read any more.
 */
type State = "open" | "draining" | "leaving" | "closed";

export class Http2Connection extends Timed implements ConnectionOwner, StreamHost {
  readonly owner: Http2Owner;
  readonly connection: Connection;
  readonly wheel: TimerWheel;
  readonly server: boolean;
  readonly limits: Http2Limits;
  readonly floods: Floods;
  readonly encoder = new HeaderEncoder();
  readonly output: FrameOutput;
  readonly sender: StreamSender;
  readonly peer = new PeerSettings();
  readonly streams = new Map<number, Stream>();
  readonly closed = new ClosedStreams();
  state: State = "open";
  /** The last stream that the peer has opened, and the last one that we have. */
  lastPeerId = 0;
  lastOwnId = 0;
  /** The peer's SETTINGS have come. */
  greeted = false;
  /** The peer's GOAWAY has come. */
  peerLeaves = false;
  private readonly incoming: Incoming;
  private readonly reader: FrameReader;
  private readonly openedAt: number;
  private drainedAt = 0;
  private gone = false;
  private readonly window = new ReceiveWindow(connectionWindow);

  constructor(owner: Http2Owner, connection: Connection, wheel: TimerWheel, server: boolean, limits: Http2Limits) {
    super();
    this.owner = owner;
    this.connection = connection;
    this.wheel = wheel;
    this.server = server;
    this.limits = limits;
    this.floods = new Floods(wheel);
    this.output = new FrameOutput(connection, owner);
    this.sender = new StreamSender(this.output, this.encoder, this.floods);
    this.incoming = new Incoming(this, limits);
    this.reader = new FrameReader(this.incoming, server);
    this.openedAt = wheel.now;
    connection.owner = this;
    wheel.set(this, tickMs);
    this.greet();
  }

  private greet(): void {
    const { limits, output } = this;
    if (!this.server) output.raw(preface);
    const parameters: [number, number][] = [[Setting.MAX_HEADER_LIST_SIZE, limits.headBytes]];
    if (this.server) parameters.push([Setting.MAX_CONCURRENT_STREAMS, limits.streams]);
    else parameters.push([Setting.ENABLE_PUSH, 0]);
    const payload = settingsPayload(parameters);
    output.frame(FrameType.SETTINGS, 0, 0, payload, 0, payload.length);
    output.numbers(FrameType.WINDOW_UPDATE, 0, 0, connectionWindow - defaultWindow);
  }

  // -------------------------------------------------------------------------------------------
  // The socket

  onData(bytes: Buffer): void {
    this.owner.onBytes(bytes.length, 0);
    if (this.state === "closed") return;
    try {
      this.reader.read(bytes);
    } catch (error) {
      if (!(error instanceof ConnectionFault)) throw error;
      this.fail(error.code, error.message);
    }
    if (this.connection.pendingBytes > mostPending) this.connection.pause();
  }

  onDrain(): void {
    this.connection.resume();
    this.sender.pump();
  }

  /** Without the peer's half no stream can go on: there is nobody to open its window. */
  onEnd(): void {
    this.lost("the peer closed the connection");
    this.output.flush();
    this.connection.end();
  }

  onClose(error: Error | undefined): void {
    this.lost(error === undefined ? "the peer closed the connection" : error.message);
    this.over();
  }

  override onDeadline(now: number): void {
    if (this.incoming.isLate(now))
      this.fail(ErrorCode.ENHANCE_YOUR_CALM, "a header block did not come to its end in time");
    else if (!this.incoming.control.settingsAcknowledged && now - this.openedAt > settingsMs)
      this.fail(ErrorCode.SETTINGS_TIMEOUT, "our SETTINGS were not acknowledged");
    else if (this.state === "draining" && now - this.drainedAt >= tickMs) this.leave();
    else {
      for (const stream of this.streams.values()) stream.dismiss();
      this.owner.onTick(now);
    }
    if (this.state !== "closed") this.wheel.set(this, tickMs);
  }

  // -------------------------------------------------------------------------------------------
  // Streams

  /** True for a stream that nobody has opened yet (RFC 9113 section 5.1). */
  isIdle(streamId: number): boolean {
    const peers = ((streamId & 1) === 1) === this.server;
    return streamId > (peers ? this.lastPeerId : this.lastOwnId);
  }

  /** @internal the peer opens a stream: false when it is not let in, which it is told where it cannot know */
  admits(streamId: number): boolean {
    this.lastPeerId = streamId;
    if (this.state === "leaving") this.closed.add(streamId, Closing.RESET_BY_US);
    else if (this.streams.size >= this.limits.streams) {
      this.floods.spend(Cost.EARLY_RESET, "streams above the limit");
      this.resetId(streamId, ErrorCode.REFUSED_STREAM);
    } else return true;
    return false;
  }

  /** Client role: true while another stream can be opened. */
  get accepts(): boolean {
    return this.state === "open" && !this.peerLeaves && this.lastOwnId < mostOf31Bits - 2;
  }

  /** Client role: opens a stream; a head must be sent on it at once, as its number goes up with each. */
  openStream(): Stream {
    this.lastOwnId = this.lastOwnId === 0 ? 1 : this.lastOwnId + 2;
    const stream = new Stream(this, this.lastOwnId, this.peer.initialWindow);
    this.streams.set(stream.id, stream);
    return stream;
  }

  ended(stream: Stream): void {
    this.floods.gain(Gain.STREAM);
    this.remove(stream, Closing.ENDED);
  }

  private remove(stream: Stream, how: Closing): void {
    if (!this.streams.delete(stream.id)) return;
    this.closed.add(stream.id, how);
    stream.release();
    if (this.streams.size === 0 && this.state === "leaving") this.finish();
    else this.owner.onRoom();
  }

  resetStream(stream: Stream, code: number): void {
    stream.user = nobody;
    this.resetId(stream.id, code);
    stream.broken("reset", "", code);
    this.remove(stream, Closing.RESET_BY_US);
  }

  /** @internal says so where there is no stream any more, or never was */
  resetId(streamId: number, code: number): void {
    this.output.numbers(FrameType.RST_STREAM, 0, streamId, code);
    this.closed.add(streamId, Closing.RESET_BY_US);
  }

  /** @internal a message that is malformed (section 8.1.1) */
  faulty(stream: Stream, detail: string): void {
    this.streamFault(stream, ErrorCode.PROTOCOL_ERROR, detail);
  }

  /** @internal the peer has done something wrong with a stream, which ends it */
  streamFault(stream: Stream, code: number, detail: string): void {
    this.resetId(stream.id, code);
    stream.broken("fault", detail, code);
    this.remove(stream, Closing.RESET_BY_US);
    this.floods.spend(Cost.STREAM_FAULT, `streams that had to be reset: ${detail}`);
  }

  /** @internal RST_STREAM has come */
  resetByPeer(streamId: number, code: number): void {
    const stream = this.streams.get(streamId);
    const early = this.server && stream?.headSent === false;
    this.floods.spend(early ? Cost.EARLY_RESET : Cost.LATE_RESET, "RST_STREAM");
    if (stream === undefined) return;
    const how = code === ErrorCode.REFUSED_STREAM ? "refused" : "reset";
    stream.broken(how, `the peer reset the stream: ${errorName(code)}`, code);
    this.remove(stream, Closing.RESET_BY_PEER);
  }

  // -------------------------------------------------------------------------------------------
  // Windows

  /** @internal a frame of DATA has come, its padding included */
  receives(length: number): void {
    if (!this.window.take(length))
      throw new ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "DATA beyond the window of the connection");
  }

  taken(count: number): void {
    const increment = this.window.give(count);
    if (increment > 0 && this.state !== "closed") this.announce(0, increment);
  }

  announce(streamId: number, increment: number): void {
    this.output.numbers(FrameType.WINDOW_UPDATE, 0, streamId, increment);
  }

  /** @internal the peer has changed the initial window, also for streams that are open (section 6.9.2) */
  shiftWindows(by: number): void {
    for (const stream of this.streams.values()) {
      stream.sendWindow += by;
      if (stream.sendWindow > mostOf31Bits)
        throw new ConnectionFault(ErrorCode.FLOW_CONTROL_ERROR, "a window overflows by SETTINGS");
      this.sender.schedule(stream);
    }
    this.sender.pump();
  }

  /** @internal */
  settingsChanged(): void {
    this.greeted = true;
    this.owner.onRoom();
  }

  /** Asks whether the peer is there; its answer is seen as bytes that come. */
  ping(): void {
    this.output.numbers(FrameType.PING, 0, 0, 0, 0);
  }

  // -------------------------------------------------------------------------------------------
  // Ending

  /** Tells the peer to open no more streams; once it knows, later ones are ignored, and the last one ends the connection. */
  drain(): void {
    if (this.state !== "open") return;
    if (!this.server) {
      this.leave();
      return;
    }
    this.state = "draining";
    this.drainedAt = this.wheel.now;
    this.output.goAway(mostOf31Bits, ErrorCode.NO_ERROR, "");
    this.output.numbers(FrameType.PING, 0, 0, drainPing[0], drainPing[1]);
  }

  /** The second step of `drain`, also at once. */
  leave(): void {
    if (this.state === "leaving" || this.state === "closed") return;
    this.state = "leaving";
    this.output.goAway(this.lastPeerId, ErrorCode.NO_ERROR, "");
    if (this.streams.size === 0) this.finish();
  }

  /** @internal GOAWAY has come: streams above `lastId` were not looked at */
  peerGoesAway(lastId: number, code: number, detail: string): void {
    this.peerLeaves = true;
    for (const stream of [...this.streams.values()]) {
      if (this.server || stream.id <= lastId) continue;
      stream.broken("refused", `the peer goes away: ${detail}`, code);
      this.remove(stream, Closing.RESET_BY_PEER);
    }
    if (this.streams.size === 0) this.leave();
    this.owner.onRoom();
  }

  /** Ends the connection for a fault of the peer. */
  fail(code: number, detail: string): void {
    if (this.state === "closed") return;
    this.output.goAway(this.lastPeerId, code, detail);
    this.owner.onFault(code, detail);
    this.lost(`${errorName(code)}: ${detail}`);
    this.linger();
  }

  /** Everything was said. */
  private finish(): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.linger();
  }

  /** The peer must see our last words: a close with bytes unread would be a reset that overtakes them. */
  private linger(): void {
    this.output.flush();
    this.wheel.clear(this);
    new Lingering(this.wheel, this.connection, tickMs, () => this.over());
  }

  /** Nothing more comes, and nothing more can go. */
  private lost(detail: string): void {
    if (this.state === "closed") return;
    this.state = "closed";
    this.wheel.clear(this);
    for (const stream of [...this.streams.values()]) stream.broken("lost", detail, ErrorCode.CANCEL);
    this.streams.clear();
  }

  private over(): void {
    if (this.gone) return;
    this.gone = true;
    this.owner.onClosed();
  }
}
