/** One connection to an upstream that speaks HTTP/2, and the streams on it. */
import type { Connection } from "../net/connection.ts";
import type { ClientPool } from "./client-pool.ts";
import { Http2Connection } from "./connection.ts";
import { ErrorCode, errorName } from "./error-codes.ts";
import type { Http2Owner } from "./owner.ts";
import type { Stream } from "./stream.ts";

/** Streams that we open on one connection at most, however many the peer allows: then it shares its windows with too many. */
const mostStreams = 256;
/** Until the peer has told its limit: what RFC 9113 section 6.5.2 asks everybody to allow. */
const streamsBeforeSettings = 100;
/** How long a connection without streams is kept. A peer that closes earlier says so before, by GOAWAY. */
const idleMs = 60_000;
/** After so long without a byte while streams are open, the peer is asked whether it is still there. */
const quietMs = 15_000;

export class ClientSession implements Http2Owner {
  readonly http2: Http2Connection;
  readonly scheme: "http" | "https";
  /** An exchange has used it already: it may be closing when the next one is sent. */
  used = false;
  private readonly pool: ClientPool;
  private heardAt: number;
  private idleSince: number;
  private asked = false;

  constructor(pool: ClientPool, connection: Connection, scheme: "http" | "https") {
    const { wheel, responseLimits } = pool.shared;
    this.pool = pool;
    this.scheme = scheme;
    this.heardAt = wheel.now;
    this.idleSince = wheel.now;
    const { headBytes, headFields } = responseLimits;
    this.http2 = new Http2Connection(this, connection, wheel, false, {
      headBytes,
      headFields,
      streams: 0,
      headTimeout: quietMs,
    });
  }

  get hasRoom(): boolean {
    const { http2 } = this;
    const most = http2.greeted ? Math.min(mostStreams, http2.peer.maxConcurrentStreams) : streamsBeforeSettings;
    return http2.accepts && http2.streams.size < most;
  }

  onBytes(received: number): void {
    if (received === 0) return;
    this.heardAt = this.pool.shared.wheel.now;
    this.asked = false;
  }

  onRoom(): void {
    if (!this.http2.accepts) this.pool.forget(this);
    this.pool.feed();
  }

  onTick(now: number): void {
    if (this.http2.streams.size > 0) {
      this.idleSince = now;
      this.lookForLife(now);
    } else if (now - this.idleSince >= idleMs) this.http2.leave();
  }

  /** A peer that vanished without a word would hold every request of the pool until its time is over. */
  private lookForLife(now: number): void {
    if (now - this.heardAt < quietMs) return;
    if (!this.asked) {
      this.asked = true;
      this.http2.ping();
    } else if (now - this.heardAt >= quietMs * 2)
      this.http2.fail(ErrorCode.NO_ERROR, "nothing came, not even the answer to a PING");
  }

  onFault(code: number, detail: string): void {
    this.pool.report(this.pool.name, errorName(code), detail);
  }

  onClosed(): void {
    this.pool.forget(this);
    this.pool.feed();
  }

  onRequest(stream: Stream): void {
    stream.abandon(); // a peer cannot open streams; reading one would have ended the connection
  }

  onMalformed(): void {}

  /** Ends it, whatever runs on it. */
  close(): void {
    this.http2.leave();
    this.http2.output.flush();
    if (this.http2.streams.size > 0) this.http2.connection.destroy();
  }
}
