/**
 * `to: original`: where a captured connection was going. A call out goes to that very address, whatever its Host says; a
 * request in goes to the same port on loopback, where the app is.
 */
import type { UpstreamPolicy } from "../config/schema.ts";
import type { Direction } from "../contracts.ts";
import type { Endpoint } from "../net/proxy-protocol.ts";
import { type Target, tcpTarget } from "../net/target.ts";
import type { Client } from "./client.ts";
import type { Engine } from "./engine.ts";
import { Pool } from "./pool.ts";
import { PoolCache } from "./pool-cache.ts";
import type { UpstreamPool } from "./upstream.ts";

type ClientPools = typeof import("../http2/client-pool.ts").ClientPool;

export class OriginalPools {
  private readonly engine: Engine;
  private readonly direction: Direction;
  private readonly policy: UpstreamPolicy | undefined;
  private readonly http2: ClientPools | undefined;
  private readonly pools = new PoolCache();

  private constructor(
    engine: Engine,
    direction: Direction,
    policy: UpstreamPolicy | undefined,
    http2: ClientPools | undefined,
  ) {
    this.engine = engine;
    this.direction = direction;
    this.policy = policy;
    this.http2 = http2;
  }

  /** @param protocol what is spoken there; `auto` is what the client of each request speaks */
  static async load(
    engine: Engine,
    direction: Direction,
    policy: UpstreamPolicy | undefined,
    protocol: "http1" | "http2" | "auto",
  ): Promise<OriginalPools> {
    const http2 = protocol === "http1" ? undefined : (await import("../http2/client-pool.ts")).ClientPool;
    return new OriginalPools(engine, direction, policy, http2);
  }

  /** For bytes, and for requests over HTTP/1. */
  pool(destination: Endpoint): Pool {
    const { address, port } = destination;
    const key = this.direction === "inbound" ? String(port) : `${address} ${port}`;
    return this.pools.get(key, () => new Pool(this.target(destination), this.engine));
  }

  /** For the next request of a client. */
  poolFor(client: Client): UpstreamPool {
    const pool = this.pool(client.peer.destination);
    const { http2, policy, engine } = this;
    if (http2 === undefined || (policy?.protocol !== "http2" && client.version !== "http2")) return pool;
    return http2.over(pool, engine.reportHttp2);
  }

  /** Closes idle connections. */
  close(): void {
    this.pools.close();
  }

  private target({ address, port }: Endpoint): Target {
    const options = { proxyProtocol: this.policy?.proxyProtocol };
    return tcpTarget(this.direction === "inbound" ? "localhost" : address, port, options);
  }
}
