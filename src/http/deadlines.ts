/** The time limits of an exchange: which one is over, whose fault that is, and when to look again. */
import type { FailureCode } from "../errors.ts";
import type { HttpExchange } from "./exchange.ts";
import type { RouteTimeouts } from "./plan.ts";

/** For what an exchange waits: a filter's promise, the client's body, the client to take its answer, or the upstream. */
export type Waiting = "filter" | "sending" | "taking" | "upstream";

export interface Overdue {
  readonly code: FailureCode;
  readonly detail: string;
}

const never = Number.POSITIVE_INFINITY;

/** Milliseconds until the earliest limit of a new exchange. */
export function firstDelay({ request, response, idle }: RouteTimeouts): number {
  let delay = idle > 0 ? idle : never;
  if (request > 0 && request < delay) delay = request;
  if (response > 0 && response < delay) delay = response;
  return delay;
}

/** The limit that is over, if one is. `quietMs` is how long nothing has moved. */
export function overdue(x: HttpExchange, now: number, quietMs: number, waiting: Waiting): Overdue | undefined {
  const { request, response, idle } = x.plan.timeouts;
  if (request > 0 && now - x.startedAt >= request)
    return { code: blame(waiting, "upstream_timeout"), detail: `the exchange took longer than ${request} ms` };
  if (response > 0 && x.stage === "forwarding" && x.requestDone && now - x.askedAt >= response)
    return { code: "upstream_timeout", detail: `no answer within ${response} ms` };
  if (idle > 0 && quietMs >= idle)
    return { code: blame(waiting, "upstream_idle"), detail: `nothing moved for ${idle} ms` };
  return undefined;
}

function blame(waiting: Waiting, upstream: FailureCode): FailureCode {
  if (waiting === "filter") return "filter_failed";
  if (waiting === "taking") return "client_closed";
  return waiting === "sending" ? "body_timeout" : upstream;
}

/** Milliseconds until a limit can be over, when none is yet. */
export function nextDelay(x: HttpExchange, now: number, quietMs: number): number {
  const { request, response, idle } = x.plan.timeouts;
  let delay = idle > 0 ? idle - quietMs : never;
  if (request > 0) delay = Math.min(delay, request - (now - x.startedAt));
  if (response > 0 && x.stage === "forwarding") {
    delay = Math.min(delay, x.requestDone ? response - (now - x.askedAt) : response);
  }
  return delay;
}
