/** Compiles what a listener does with connections that it does not look into. */
import type { Listener, Route } from "../config/schema.ts";
import type { Counter, Direction } from "../contracts.ts";
import type { Engine } from "../http/engine.ts";
import { compileServerName } from "../http/match.ts";
import { compileTarget } from "../http/openings.ts";
import type { Expiring } from "../net/certificate-expiry.ts";
import { type StreamPlan, type StreamResult, type StreamRoute, streamResults } from "./stream-plan.ts";

/** True for a listener whose connections may carry requests. */
export function servesHttp({ arrival }: Listener): boolean {
  return arrival?.protocol !== "tcp" && arrival?.protocol !== "tls";
}

/**
 * True for a route that takes bytes which are not looked into; on an `auto` listener it stands beside those for requests.
 * What goes to where it was going anyway may be either.
 */
export function isForBytes({ action }: Route): boolean {
  return action.kind === "forward" && /^(tcp|tls|original)$/.test(action.to.scheme);
}

/** True for a route that requests may take: not one to bytes, nor one for the server name of TLS that is passed on. */
export function isForRequests({ action, match }: Route): boolean {
  if (action.kind !== "forward" || action.to.scheme === "original") return match.sni === undefined;
  return action.to.scheme !== "tcp" && action.to.scheme !== "tls";
}

/**
 * Undefined for a listener that only takes requests. Of an `auto` listener only routes to `tcp://`, `tls://` and `original` count:
 * an upstream for requests must not be reached around what looks at requests, by bytes that only look like none.
 */
export async function compileStreams(
  engine: Engine,
  listener: Listener,
  certificates: Expiring[],
): Promise<StreamPlan | undefined> {
  const protocol = listener.arrival?.protocol ?? "http";
  if (protocol === "http") return undefined;
  const { metrics } = engine.thread;
  const labels = { direction: listener.direction, listener: listener.name };
  const counter = (route: string, result: StreamResult) =>
    metrics.counter("outrigger_streams_total", { ...labels, route, result });
  const routes: StreamRoute[] = [];
  for (const route of listener.routes)
    if (protocol !== "auto" || isForBytes(route))
      routes.push(await compileRoute(engine, listener, route, counter, certificates));
  if (protocol === "auto" && routes.length === 0) return undefined;
  return {
    routes,
    refused: counter("-", "refused"),
    duration: metrics.histogram("outrigger_stream_duration_seconds", labels),
  };
}

async function compileRoute(
  engine: Engine,
  { direction }: Listener,
  { name, match, action, timeouts }: Route,
  counter: (route: string, result: StreamResult) => Counter,
  certificates: Expiring[],
): Promise<StreamRoute> {
  if (action.kind !== "forward") throw new TypeError("a stream is only forwarded");
  const way = await compileWay(engine, direction, action, certificates);
  const connections = Object.fromEntries(streamResults.map((result) => [result, counter(name, result)]));
  return {
    name,
    takes: compileServerName(match.sni),
    ...way,
    connect: timeouts.connectMs,
    tunnel: timeouts.tunnelMs === 0 ? Number.POSITIVE_INFINITY : timeouts.tunnelMs,
    connections: connections as Record<StreamResult, Counter>,
  };
}

/** Where the bytes of a route go. */
async function compileWay(
  engine: Engine,
  direction: Direction,
  { to, upstream }: Extract<Route["action"], { kind: "forward" }>,
  certificates: Expiring[],
): Promise<Pick<StreamRoute, "pool" | "poolFor">> {
  if (to.scheme === "original") {
    const { OriginalPools } = await import("../http/original-pools.ts");
    const pools = await OriginalPools.load(engine, direction, upstream, "http1");
    return { pool: undefined, poolFor: ({ destination }) => pools.pool(destination) };
  }
  const target = await compileTarget(to, upstream);
  certificates.push(...target.certificates);
  const pool = engine.pool(target.value);
  return { pool, poolFor: () => pool };
}
