/** What is counted and said about an exchange. */
import { type FailureCode, failure } from "../errors.ts";
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
    fault: "threw",
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
