/** What a listener does with an exchange: compiled from the configuration once, replaced whole by a reload. */
import type { Match } from "../config/schema.ts";
import type { Counter, Direction, Filter, Gauge, Histogram, Reply } from "../contracts.ts";
import type { FailureCode } from "../errors.ts";
import type { ArrivalPlan } from "../net/arrival.ts";
import type { Capture } from "../net/capture.ts";
import type { ForwardProxy } from "../outbound/forward-proxy.ts";
import type { StreamPlan } from "../tcp/stream-plan.ts";
import type { HttpExchange } from "./exchange.ts";
import type { HeadLimits } from "./head.ts";
import type { Manner } from "./manner.ts";
import type { OriginalPools } from "./original-pools.ts";
import type { Pool } from "./pool.ts";
import type { RouteIndex } from "./route-index.ts";
import type { UpstreamPool } from "./upstream.ts";

/** All in milliseconds; 0 switches a limit off. */
export interface RouteTimeouts {
  /** Until the upstream accepted a connection. */
  readonly connect: number;
  /** For an app of this pod that has not accepted any connection yet; 0 for not at all. */
  readonly start: number;
  /** From the whole request sent to the answer's head. */
  readonly response: number;
  /** The whole exchange. */
  readonly request: number;
  /** Without a byte in either direction. */
  readonly idle: number;
  /** Without a byte in either direction of a tunnel; Infinity for no limit. */
  readonly tunnel: number;
}

/** The configured filters of a route, by hook, in the order in which they run. */
export interface Chain {
  readonly request: readonly Filter[];
  readonly response: readonly Filter[];
  readonly requestBody: readonly Filter[];
  readonly responseBody: readonly Filter[];
  readonly attempt: readonly Filter[];
  readonly done: readonly Filter[];
}

/** An answer from the configuration, with its body at hand. */
export interface FixedReply extends Reply {
  readonly headers: readonly (readonly [string, string])[];
}

/** Sends requests on. */
export interface ForwardAction {
  readonly kind: "forward";
  readonly pool: UpstreamPool;
  /** For clients that speak HTTP/2, where they go another way than others. */
  readonly http2Pool?: UpstreamPool;
  /** Whose connections these are. */
  readonly places: readonly Pool[];
}

export type Action =
  | ForwardAction
  | { readonly kind: "proxy"; readonly proxy: ForwardProxy }
  | { readonly kind: "original"; readonly pools: OriginalPools }
  | { readonly kind: "respond"; readonly reply: FixedReply }
  | { readonly kind: "refuse"; readonly code: FailureCode };

export interface RoutePlan {
  readonly name: string;
  /** The condition on the path, which `matches` has among its own. */
  readonly path: Match["path"];
  readonly matches: (x: HttpExchange) => boolean;
  readonly action: Action;
  readonly chain: Chain;
  readonly timeouts: RouteTimeouts;
  /** Bytes of request body; 0 means unlimited. */
  readonly maxBodyBytes: number;
  /** Requests to change the protocol, such as WebSocket's, are passed on. */
  readonly upgrades: boolean;
  /** By hundreds of the status: `[1]` counts 1xx … `[5]` counts 5xx. */
  readonly requests: readonly Counter[];
}

export interface ListenerPlan {
  readonly name: string;
  readonly direction: Direction;
  readonly manner: Manner;
  readonly limits: HeadLimits;
  /** Milliseconds until the request head is complete, from its first byte or the connection's start. */
  readonly headTimeout: number;
  /** Milliseconds an idle connection is kept. */
  readonly keepAliveTimeout: number;
  /** True for peers whose claims about the client are believed. */
  readonly trusts: (address: string) => boolean;
  /** Takes only redirected connections; undefined where they come of themselves. */
  readonly capture: Capture | undefined;
  /** What comes before the first request; undefined where a connection begins with it. */
  readonly arrival: ArrivalPlan | undefined;
  readonly routes: readonly RoutePlan[];
  /** Where there are many of them. */
  readonly index: RouteIndex | undefined;
  /** The last of `routes` where the listener is a forward proxy; the only one for CONNECT. */
  readonly proxy: RoutePlan | undefined;
  /** For connections that are not looked into. */
  readonly stream: StreamPlan | undefined;
  /** For exchanges that match no route, or whose head is refused. */
  readonly fallback: RoutePlan;
  /** The listener is gone: answers on its remaining connections end them. */
  readonly retired: boolean;
  readonly connections: Gauge;
  /** Connections whose protocol was not known in time. */
  readonly detectTimeouts: Counter;
  readonly tunnels: Gauge;
  readonly duration: Histogram;
  readonly receivedBytes: Counter;
  readonly sentBytes: Counter;
}
