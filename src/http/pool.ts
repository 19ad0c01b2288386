/** The idle connections of one upstream address, last used first. */
import { type Connection, isLoopback } from "../net/connection.ts";
import type { Ends } from "../net/dial.ts";
import type { Target } from "../net/target.ts";
import type { TimerWheel } from "../net/wheel.ts";
import type { HeadLimits } from "./head.ts";
import type { Place, UpstreamPool, UpstreamUser } from "./upstream.ts";
import { UpstreamConnection } from "./upstream-connection.ts";

/**
 * How long an idle connection is trusted: upstreams close theirs after 5 s (Node) or more, and a request
 * sent while they do is lost, so ours go well before (linkerd's value; traffic.md D9).
 */
const idleMs = 3000;
/** A request that must not be sent twice goes only on a connection used this recently, or on a new one. */
const freshMs = 1000;
/**
 * Connects that nobody waits for any more, of which the kernel still sends SYNs: each holds a descriptor for two
 * minutes, and the runtime has no call to take it back. From so many on, one connect at a time is tried.
 */
const mostGivenUp = 128;

/** So long after the first try an app is waited for that nobody has ever met: what takes longer is no start. */
const awaitedMs = 60_000;

const safeMethods = new Set(["GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"]);

/** True when sending the request a second time changes nothing more (RFC 9110 section 9.2.2). */
export function isIdempotent(method: string): boolean {
  return method === "GET" || safeMethods.has(method);
}

/** Of the client on whose behalf a connection is, what tells it from others. */
export function clientOf(ends: Ends | undefined): string {
  return ends === undefined ? "" : `${ends.source.address} ${ends.source.port}`;
}

/** What the pools of one thread share. */
export interface Shared {
  readonly wheel: TimerWheel;
  /** For the heads of answers; a reload puts other ones here. */
  readonly responseLimits: HeadLimits;
}

export class Pool {
  readonly target: Target;
  /** `host:port`, for people. */
  readonly name: string;
  /** As a Host field carries it. */
  readonly authority: string;
  /** The Host line for requests that are named after where they go. */
  readonly hostLine: string;
  readonly shared: Shared;
  readonly wheel: TimerWheel;
  /** Why a new connection must not be used, where its address was not known beforehand. */
  readonly misled: ((connection: Connection) => string | undefined) | undefined;
  private readonly isLocal: boolean;
  private firstTriedAt = Number.POSITIVE_INFINITY;
  private wasReached = false;
  /** Connections to the same place on which HTTP/2 is spoken, once they are wanted. */
  http2: (UpstreamPool & { readonly isBusy: boolean; close(): void }) | undefined = undefined;
  private readonly idle: UpstreamConnection[] = [];
  /** The one that answered is asked first from then on. */
  private addresses: readonly string[];
  /** Connects under way in the kernel, and how many of them were given up. */
  private connecting = 0;
  private givenUp = 0;

  constructor(target: Target, shared: Shared, misled?: Pool["misled"]) {
    this.misled = misled;
    this.target = target;
    this.name = target.name;
    this.authority = target.authority;
    this.hostLine = `Host: ${this.authority}\r\n`;
    this.shared = shared;
    this.wheel = shared.wheel;
    this.addresses = target.addresses;
    this.isLocal = target.unix !== undefined || target.addresses.every(isLoopback);
  }

  /** An idle connection, assigned to the user; undefined when none is good enough for the method. */
  take(user: UpstreamUser): UpstreamConnection | undefined {
    const up = this.target.proxyProtocol === undefined ? this.idle.at(-1) : this.idleFor(user);
    if (up === undefined || (up.blind && up.idleSince === this.wheel.now)) return undefined;
    if (!isIdempotent(user.requestMethod) && this.wheel.now - up.idleSince > freshMs) return undefined;
    if (this.idle.at(-1) === up) this.idle.pop();
    else this.forget(up);
    up.assign(user);
    return up;
  }

  /** A connection that began with a PROXY header speaks for one client. */
  private idleFor(user: UpstreamUser): UpstreamConnection | undefined {
    const client = clientOf(user.ends);
    return this.idle.findLast((up) => up.client === client);
  }

  /** A new connection; `user.onConnected` or `user.onUpstreamFailure` follows. */
  connect(user: UpstreamUser, timeoutMs: number): UpstreamConnection {
    const up = new UpstreamConnection(this, user);
    if (this.givenUp >= mostGivenUp && this.connecting > this.givenUp) {
      queueMicrotask(() => up.refuse(`${this.givenUp} connects before it are still under way`));
      return up;
    }
    up.connect(this.addresses, timeoutMs > 0 ? timeoutMs : Number.POSITIVE_INFINITY);
    return up;
  }

  /** @internal back from a complete exchange; `keepAliveSeconds` is what the upstream announced, or -1 */
  put(up: UpstreamConnection, keepAliveSeconds: number): void {
    const announced = keepAliveSeconds < 0 ? idleMs : (keepAliveSeconds - 1) * 1000;
    if (announced <= 0) {
      up.abandon();
      return;
    }
    if (up.blind) this.idle.unshift(up);
    else this.idle.push(up);
    this.wheel.setCoarse(up, Math.min(idleMs, announced));
  }

  /** @internal the kernel was asked for a connection */
  connectBegan(): void {
    this.connecting++;
    if (!this.wasReached) this.firstTriedAt = Math.min(this.firstTriedAt, this.wheel.now);
  }

  /** @internal nobody waits for it any more */
  connectGivenUp(): void {
    this.givenUp++;
  }

  /** @internal the kernel has come to an end with it */
  connectEnded(wasGivenUp: boolean): void {
    this.connecting--;
    if (wasGivenUp) this.givenUp--;
  }

  /** @internal an idle connection closed */
  forget(up: UpstreamConnection): void {
    if (this.idle.at(-1) === up) this.idle.pop();
    else this.remove(up);
  }

  private remove(up: UpstreamConnection): void {
    const at = this.idle.lastIndexOf(up);
    if (at !== -1) this.idle.splice(at, 1);
  }

  get place(): Place {
    if (!this.isLocal) return "elsewhere";
    return this.wasReached || this.wheel.now - this.firstTriedAt > awaitedMs ? "here" : "awaited";
  }

  /** @internal */
  connected(address: string): void {
    this.wasReached = true;
    if (this.addresses[0] === address) return;
    this.addresses = [address, ...this.addresses.filter((other) => other !== address)];
  }

  /** Closes every idle connection. */
  close(): void {
    this.http2?.close();
    for (const up of [...this.idle]) up.abandon();
  }
}
