/** What a listener does with connections it does not look into: where their bytes go. */
import type { Counter, Histogram } from "../contracts.ts";
import type { Pool } from "../http/pool.ts";
import type { Connection } from "../net/connection.ts";
import type { TunnelEnd } from "../net/tunnel.ts";

/** How a stream ended: as its tunnel did; or it never had one, for want of an upstream or because it was refused. */
export type StreamResult = TunnelEnd | "failed" | "refused";
export const streamResults: readonly StreamResult[] = [
  "closed",
  "near_broken",
  "far_broken",
  "idle",
  "cut",
  "failed",
  "refused",
];

export interface StreamRoute {
  readonly name: string;
  /** True for the server name a TLS client asked for, in lower case; undefined when it named none, or for plain TCP. */
  readonly takes: (serverName: string | undefined) => boolean;
  /** The way of a client's connection. */
  readonly poolFor: (connection: Connection) => Pool;
  /** Its connections, where that is one and the same way for all. */
  readonly pool: Pool | undefined;
  /** Milliseconds; 0 for no limit. */
  readonly connect: number;
  /** Milliseconds without a byte in either direction; Infinity for no limit. */
  readonly tunnel: number;
  readonly connections: Readonly<Record<StreamResult, Counter>>;
}

export interface StreamPlan {
  readonly routes: readonly StreamRoute[];
  /** For what no route takes. */
  readonly refused: Counter;
  readonly duration: Histogram;
}
