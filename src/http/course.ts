/** The course that an exchange takes with any client, over HTTP/1 or HTTP/2: how it begins, is watched, and ends. */
import type { Timed } from "../net/wheel.ts";
import { runDone } from "./chain.ts";
import type { Client } from "./client.ts";
import { nextDelay, overdue } from "./deadlines.ts";
import { HttpExchange } from "./exchange.ts";
import { countOutcome } from "./reports.ts";
import type { RequestHead } from "./request-head.ts";

/** Begins an exchange by the client's plan. `whole`: nothing of the request is left to come. */
export function begin(client: Client, head: RequestHead, whole: boolean): HttpExchange {
  const { engine, plan } = client;
  plan.manner.receive(head, client.trusted);
  const x = new HttpExchange(client, head, idFor(client, head), plan.fallback, engine.thread.clock.now());
  x.requestDone = whole;
  engine.activeExchanges++;
  return x;
}

/** Trusted peers may bring an id along, so that one request has one id in the whole chain. */
function idFor(client: Client, { requestId }: RequestHead): string {
  const usable = client.trusted && requestId !== undefined && requestId !== "" && requestId.length <= 128;
  return usable ? requestId : client.engine.nextId();
}

/** Its answer is out, or will never be. */
export function conclude(x: HttpExchange): void {
  const { engine } = x.client;
  x.forward = null;
  x.stage = "done";
  x.durationMs = engine.thread.clock.now() - x.startedAt;
  engine.activeExchanges--;
  countOutcome(x);
  if (x.plan.chain.done.length > 0) runDone(x);
}

/** The client has left, or was lost, before the end of its answer. */
export function loseClient(x: HttpExchange, detail: string): void {
  if (x.status === 0) x.status = 499;
  x.lose("client_closed", detail);
}

/** Ends an exchange whose time is over, else looks again when it may be. `quietMs` is how long nothing has moved. */
export function keepTime(client: Client & Timed, x: HttpExchange, now: number, quietMs: number): void {
  const over = overdue(x, now, quietMs, x.waitsFor);
  if (over !== undefined) x.fail(over.code, over.detail);
  else client.engine.wheel.set(client, nextDelay(x, now, quietMs));
}

/** What is wrong with a body so far. Its size comes first: it is what was seen before the framing was lost. */
export function bodyFault(x: HttpExchange, fault: string | undefined): BodyFault | undefined {
  const most = x.plan.maxBodyBytes;
  if (most > 0 && x.bytesIn > most) return { code: "body_too_large", detail: `more than ${most} bytes arrived` };
  return fault === undefined ? undefined : { code: "bad_chunk", detail: fault };
}

interface BodyFault {
  readonly code: "body_too_large" | "bad_chunk";
  readonly detail: string;
}
