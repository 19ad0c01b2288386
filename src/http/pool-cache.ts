/** Pools of places that are known only when a request or a connection names them; the one not asked for longest goes first. */
import type { Pool } from "./pool.ts";

/** Places whose idle connections are kept. */
const mostPools = 256;

export class PoolCache {
  private readonly pools = new Map<string, Pool>();

  /** The pool with that key, made where there is none. */
  get(key: string, make: () => Pool): Pool {
    const { pools } = this;
    const pool = pools.get(key) ?? make();
    pools.delete(key); // and to the end of the order
    pools.set(key, pool);
    if (pools.size > mostPools) this.forgetOldest();
    return pool;
  }

  /** Closes idle connections. */
  close(): void {
    for (const pool of this.pools.values()) pool.close();
    this.pools.clear();
  }

  /** Connections of HTTP/1 that are in use end by themselves later; those of HTTP/2 would be cut. */
  private forgetOldest(): void {
    for (const [key, pool] of this.pools) {
      if (pool.http2?.isBusy === true) continue;
      this.pools.delete(key);
      pool.close();
      return;
    }
  }
}
