/** What is counted and said about an exchange. */
import { type FailureCode, failure } from "../errors.ts";
import type { Tunnel, TunnelEnd } from "../net/tunnel.ts";
import type { Engine } from "./engine.ts";
import type { HttpExchange } from "./exchange.ts";
import type { ListenerPlan } from "./plan.ts";

export function reportFailure(engine: Engine, x: HttpExchange, code: FailureCode, detail: string): void {
  engine.countFailure(code);
  engine.thread.emit("request_failed", {
    code,
    fault: failure(code).fault,
    listener: x.listener,
    route: x.route,
    id: x.id,
    upstream: x.upstream,
    detail,
  });
}

export function reportFilter(engine: Engine, x: HttpExchange, error: unknown): void {
  engine.thread.emit("filter_failed", {
    listener: x.listener,
    route: x.route,
    id: x.id,
    error: error instanceof Error ? error.message : String(error),
  });
}

/** Counts a finished exchange by the class of its status; anything above 599 is counted with the 5xx. */
export function countOutcome(x: HttpExchange): void {
  x.plan.requests[Math.min(Math.floor(x.status / 100), 5)]!.add(1);
  // A tunnel's hours would say nothing about how fast requests are answered.
  if (!isTunnel(x)) x.client.plan.duration.observe(x.durationMs / 1000);
}

function isTunnel(x: HttpExchange): boolean {
  return x.status === 101 || (x.method === "CONNECT" && x.status === 200);
}

/** What a tunnel's end means for the exchange it was: bytes carried, and whose fault it was if it broke off. */
export function noteTunnelEnd(x: HttpExchange, end: TunnelEnd, { bytesIn, bytesOut }: Tunnel): void {
  x.bytesIn = bytesIn;
  x.bytesOut = bytesOut;
  const carried = `after ${bytesIn} bytes in and ${bytesOut} bytes out`;
  if (end === "near_broken") x.lose("client_closed", `the client broke the tunnel off ${carried}`);
  else if (end === "far_broken") x.lose("tunnel_broken", `${x.upstream} broke the tunnel off ${carried}`);
  else if (end === "idle") x.lose("tunnel_idle", `nothing moved in the tunnel for too long, ${carried}`);
  else if (end === "cut") {
    reportCut(x.client.engine, x.client.plan, {
      peer: x.peer.address,
      upstream: x.upstream,
      ageMs: Math.round(x.client.engine.thread.clock.now() - x.startedAt),
      bytesIn,
      bytesOut,
    });
    x.lose("stopped", `the tunnel was cut ${carried}`);
  }
}

export interface CutTunnel {
  readonly peer: string;
  readonly upstream: string | undefined;
  readonly ageMs: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

/** Names who is cut off by a stop: their bytes are not known to have arrived. */
export function reportCut(engine: Engine, { name }: ListenerPlan, cut: CutTunnel): void {
  engine.thread.emit("tunnel_cut", { listener: name, ...cut });
}
