/** Compiles where a route sends its requests: a pool of connections for each version that may be spoken there. */
import type { RouteAction } from "../config/schema.ts";
import type { Expiring } from "../net/certificate-expiry.ts";
import type { Engine } from "./engine.ts";
import { compileTarget, protocolFor } from "./openings.ts";
import type { ForwardAction } from "./plan.ts";

/** @param certificates takes those it uses @throws UserError for certificates that cannot be used */
export async function compileForward(
  engine: Engine,
  { to, upstream }: Extract<RouteAction, { kind: "forward" }>,
  certificates: Expiring[],
): Promise<ForwardAction> {
  const protocol = protocolFor(to, upstream);
  const target = await compileTarget(to, upstream);
  certificates.push(...target.certificates);
  const place = engine.pool(target.value);
  if (protocol === "http1") return { kind: "forward", pool: place, places: [place] };
  const { ClientPool } = await import("../http2/client-pool.ts");
  const http2 = ClientPool.over(place, engine.reportHttp2);
  if (protocol === "http2") return { kind: "forward", pool: http2, places: [place] };
  if (place.target.tls === undefined) return { kind: "forward", pool: place, http2Pool: http2, places: [place] };
  const { AgreedPool } = await import("../http2/agreed-pool.ts");
  // What leads away from HTTP, such as WebSocket, needs a connection on which HTTP/2 is not even offered.
  const policy = { tls: upstream?.tls, proxyProtocol: undefined, protocol: "http1" } as const;
  const old = engine.pool((await compileTarget(to, policy)).value);
  return { kind: "forward", pool: new AgreedPool(place, http2, old), places: [place, old] };
}
