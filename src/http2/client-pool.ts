/**
 * The connections of one upstream that speaks HTTP/2: many exchanges share one, and another is opened when the peer's
 * limit of streams is reached.
 */
import type { FailureCode } from "../errors.ts";
import type { Pool, Shared } from "../http/pool.ts";
import type { Place, Upstream, UpstreamPool, UpstreamUser } from "../http/upstream.ts";
import type { UpstreamConnection } from "../http/upstream-connection.ts";
import type { Connection } from "../net/connection.ts";
import { ClientSession } from "./client-session.ts";
import { ClientStream } from "./client-stream.ts";

/** Opens connections: the pool of HTTP/1, whose place and limits are the same. */
export interface Connector {
  readonly name: string;
  readonly authority: string;
  readonly hostLine: string;
  readonly shared: Shared;
  readonly place: Place;
  connect(user: UpstreamUser, timeoutMs: number): UpstreamConnection;
}

/** Streams that are expected to fit on a connection that is being opened. */
const expectedStreams = 100;

const pools = new WeakMap<Pool, ClientPool>();

export class ClientPool implements UpstreamPool {
  readonly name: string;
  readonly authority: string;
  readonly hostLine: string;
  readonly shared: Shared;
  /** @internal */
  readonly report: (peer: string, code: string, detail: string) => void;
  private readonly connector: Connector;
  private readonly sessions: ClientSession[] = [];
  /** Asked for and without a connection yet, in order. */
  private readonly waiting: ClientStream[] = [];
  private opening = 0;
  private feeding = false;

  /** @param report told of a connection that we had to end: whose it was, the error's name, and why */
  constructor(connector: Connector, report: (peer: string, code: string, detail: string) => void) {
    this.connector = connector;
    this.report = report;
    this.name = connector.name;
    this.authority = connector.authority;
    this.hostLine = connector.hostLine;
    this.shared = connector.shared;
  }

  /** The one of that place: routes that lead to it share its connections. */
  static over(place: Pool, report: ClientPool["report"]): ClientPool {
    const known = pools.get(place);
    if (known !== undefined) return known;
    const pool = new ClientPool(place, report);
    pools.set(place, pool);
    place.http2 = pool;
    return pool;
  }

  get place(): Place {
    return this.connector.place;
  }

  take(user: UpstreamUser): Upstream | undefined {
    if (this.waiting.length > 0) return undefined;
    const session = this.sessions.find((one) => one.hasRoom);
    if (session === undefined) return undefined;
    const stream = new ClientStream(this, user);
    stream.assign(session);
    return stream;
  }

  connect(user: UpstreamUser, timeoutMs: number): Upstream {
    const stream = new ClientStream(this, user);
    this.waiting.push(stream);
    const delay = timeoutMs > 0 ? timeoutMs : Number.POSITIVE_INFINITY;
    this.shared.wheel.set(stream, delay);
    queueMicrotask(() => this.feed(delay)); // the user has to know its stream before it is told of it
    return stream;
  }

  /** Gives streams that wait to connections with room, and opens connections for the others. */
  feed(timeoutMs = Number.POSITIVE_INFINITY): void {
    if (this.feeding) return;
    this.feeding = true;
    for (let stream = this.waiting[0]; stream !== undefined; stream = this.waiting[0]) {
      const session = this.sessions.find((one) => one.hasRoom);
      if (session === undefined) break;
      this.waiting.shift();
      stream.assign(session);
      stream.begin();
    }
    this.feeding = false;
    while (this.waiting.length > this.opening * expectedStreams) this.open(timeoutMs);
  }

  private open(timeoutMs: number): void {
    this.opening++;
    this.connector.connect(new Opening(this), timeoutMs);
  }

  /** True while what was opened last speaks HTTP/2: more would, too. */
  get isSpoken(): boolean {
    return this.sessions.length > 0 || this.opening > 0;
  }

  /** True while an exchange runs on one of them, or waits for one. */
  get isBusy(): boolean {
    return this.waiting.length > 0 || this.sessions.some(({ http2 }) => http2.streams.size > 0);
  }

  /** Takes over a connection that speaks HTTP/2, and gives its first stream to the user. */
  adopt(connection: Connection, user: UpstreamUser): Upstream {
    const session = this.begin(connection);
    const stream = new ClientStream(this, user);
    stream.assign(session);
    return stream;
  }

  private begin(connection: Connection): ClientSession {
    const scheme = connection.security === undefined ? "http" : "https";
    const session = new ClientSession(this, connection, scheme);
    this.sessions.push(session);
    return session;
  }

  /** @internal a connection is open */
  opened(up: UpstreamConnection): void {
    const agreed = up.alpn === "h2";
    if (up.connection?.security !== undefined && !agreed) {
      up.abandon();
      this.failed("upstream_tls_failed", `${this.name}: it does not speak HTTP/2, by ALPN`);
      return;
    }
    this.opening--;
    this.begin(up.surrender());
    this.feed();
  }

  /** @internal no connection could be opened: those who wait would wait in vain */
  failed(code: FailureCode, detail: string): void {
    this.opening--;
    if (this.opening > 0) return;
    for (const stream of this.waiting.splice(0)) stream.unreached(code, detail);
  }

  /** @internal it waits no more */
  unwait(stream: ClientStream): void {
    const at = this.waiting.indexOf(stream);
    if (at !== -1) this.waiting.splice(at, 1);
  }

  /** @internal no more streams can be opened on it */
  forget(session: ClientSession): void {
    const at = this.sessions.indexOf(session);
    if (at !== -1) this.sessions.splice(at, 1);
  }

  close(): void {
    for (const session of [...this.sessions]) session.close();
  }
}

/** Waits for a connection, and takes it over before HTTP/1 is spoken on it. */
class Opening implements UpstreamUser {
  readonly requestMethod = "GET";
  private readonly pool: ClientPool;

  constructor(pool: ClientPool) {
    this.pool = pool;
  }

  onConnected(up: Upstream): void {
    this.pool.opened(up as UpstreamConnection);
  }

  onUpstreamFailure(code: FailureCode, detail: string): void {
    this.pool.failed(code, detail);
  }

  onInformation(): void {}
  onResponse(): void {}
  onBody(): void {}
  onUpstreamDrain(): void {}
}
