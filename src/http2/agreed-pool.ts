/**
 * The connections of an upstream over TLS that speaks either version: what is spoken is agreed on by ALPN as each opens.
 * What the last one came to is expected of the next.
 */
import type { FailureCode } from "../errors.ts";
import type { Pool } from "../http/pool.ts";
import type { ResponseHead } from "../http/response-head.ts";
import type { Place, Upstream, UpstreamPool, UpstreamUser } from "../http/upstream.ts";
import type { UpstreamConnection } from "../http/upstream-connection.ts";
import type { ClientPool } from "./client-pool.ts";

export class AgreedPool implements UpstreamPool {
  readonly name: string;
  readonly authority: string;
  readonly hostLine: string;
  private readonly http1: Pool;
  private readonly http2: ClientPool;
  private readonly http1Only: Pool;

  /**
   * @param http1 offers both, and keeps what came to HTTP/1
   * @param http1Only offers HTTP/1 alone, for requests that may lead to another protocol
   */
  constructor(http1: Pool, http2: ClientPool, http1Only: Pool) {
    this.http1 = http1;
    this.http2 = http2;
    this.http1Only = http1Only;
    this.name = http1.name;
    this.authority = http1.authority;
    this.hostLine = http1.hostLine;
  }

  get place(): Place {
    return this.http2.place === "awaited" ? this.http1.place : this.http2.place;
  }

  take(user: UpstreamUser): Upstream | undefined {
    if (user.offer !== undefined && user.offer !== "") return this.http1Only.take(user);
    return this.http2.take(user) ?? this.http1.take(user);
  }

  connect(user: UpstreamUser, timeoutMs: number): Upstream {
    if (user.offer !== undefined && user.offer !== "") return this.http1Only.connect(user, timeoutMs);
    if (this.http2.isSpoken) return this.http2.connect(user, timeoutMs);
    return this.http1.connect(new Undecided(this.http2, user), timeoutMs);
  }
}

/** Stands for a user until its connection is open, and then gives it what was agreed on. */
class Undecided implements UpstreamUser {
  private readonly http2: ClientPool;
  private readonly user: UpstreamUser;

  constructor(http2: ClientPool, user: UpstreamUser) {
    this.http2 = http2;
    this.user = user;
  }

  get requestMethod(): string {
    return this.user.requestMethod;
  }

  get ends(): UpstreamUser["ends"] {
    return this.user.ends;
  }

  onConnected(up: Upstream): void {
    const connection = up as UpstreamConnection;
    if (connection.alpn === "h2") this.user.onConnected(this.http2.adopt(connection.surrender(), this.user));
    else {
      connection.user = this.user;
      this.user.onConnected(up);
    }
  }

  onUpstreamFailure(code: FailureCode, detail: string, seen: boolean, up: Upstream): void {
    this.user.onUpstreamFailure(code, detail, seen, up);
  }

  onInformation(head: ResponseHead): void {
    this.user.onInformation(head);
  }
  onResponse(head: ResponseHead, input: Buffer | undefined, up: Upstream): void {
    this.user.onResponse(head, input, up);
  }
  onBody(pieces: Uint8Array[], done: boolean, up: Upstream): void {
    this.user.onBody(pieces, done, up);
  }
  onUpstreamDrain(): void {
    this.user.onUpstreamDrain();
  }
}
