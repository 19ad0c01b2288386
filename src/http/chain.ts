/**
 * Runs the filters of a route around an exchange. A hook that returns no promise costs no promise:
 * the loops go on by themselves and only an asynchronous hook makes them come back later.
 */
import type { Filter, Reply } from "../contracts.ts";
import type { HttpExchange } from "./exchange.ts";
import type { Chain } from "./plan.ts";
import { checkReply } from "./respond.ts";

/** Sorts filters by hook. Answers pass them in reverse, as the filter nearest to the upstream sees them first. */
export function buildChain(filters: readonly Filter[]): Chain {
  const having = (hook: keyof Filter) => filters.filter((filter) => filter[hook] !== undefined);
  return {
    request: having("request"),
    response: having("response").reverse(),
    requestBody: having("requestBody"),
    responseBody: having("responseBody").reverse(),
    attempt: having("attempt"),
    done: having("done"),
  };
}

type Outcome = Reply | undefined | void;

/** Called with a reply to send instead, or with nothing to go on. Not called when a filter failed. */
type Continue = (x: HttpExchange, reply: Reply | undefined) => void;

export function runRequest(x: HttpExchange, then: Continue): void {
  runHeads(x, x.plan.chain.request, "request", 0, then);
}

export function runResponse(x: HttpExchange, then: Continue): void {
  runHeads(x, x.plan.chain.response, "response", 0, then);
}

function runHeads(
  x: HttpExchange,
  filters: readonly Filter[],
  hook: "request" | "response",
  from: number,
  then: Continue,
): void {
  for (let i = from; i < filters.length; i++) {
    let outcome: Outcome | Promise<Outcome>;
    try {
      outcome = filters[i]![hook]!(x);
    } catch (error) {
      x.filterFailed(error);
      return;
    }
    if (outcome === undefined) continue;
    if (outcome instanceof Promise) {
      awaitHead(x, outcome, filters, hook, i, then);
      return;
    }
    replyWith(x, outcome, then);
    return;
  }
  then(x, undefined);
}

/** A reply that would break the framing is a fault of its filter. */
function replyWith(x: HttpExchange, reply: Reply, then: Continue): void {
  try {
    checkReply(reply);
  } catch (error) {
    x.filterFailed(error);
    return;
  }
  then(x, reply);
}

function awaitHead(
  x: HttpExchange,
  pending: Promise<Outcome>,
  filters: readonly Filter[],
  hook: "request" | "response",
  at: number,
  then: Continue,
): void {
  pending.then(
    (outcome) => {
      if (x.stage === "done") return;
      if (outcome === undefined) runHeads(x, filters, hook, at + 1, then);
      else replyWith(x, outcome, then);
    },
    (error) => x.filterFailed(error),
  );
}

/** Passes one piece of content through the body hooks; null when nothing goes on. */
export function runBody(
  x: HttpExchange,
  filters: readonly Filter[],
  hook: "requestBody" | "responseBody",
  chunk: Uint8Array,
  last: boolean,
): Uint8Array | null | Promise<Uint8Array | null> {
  let piece: Uint8Array | null = chunk;
  for (let i = 0; i < filters.length; i++) {
    const outcome: Uint8Array | null | Promise<Uint8Array | null> = filters[i]![hook]!(piece ?? nothing, last, x);
    if (outcome instanceof Promise) return awaitBody(x, filters, hook, outcome, last, i + 1);
    piece = outcome;
    if (piece === null && !last) return null;
  }
  return piece;
}

async function awaitBody(
  x: HttpExchange,
  filters: readonly Filter[],
  hook: "requestBody" | "responseBody",
  pending: Promise<Uint8Array | null>,
  last: boolean,
  next: number,
): Promise<Uint8Array | null> {
  const piece = await pending;
  if (piece === null && !last) return null;
  return runBody(x, filters.slice(next), hook, piece ?? nothing, last);
}

const nothing = new Uint8Array(0);

/** Tells every filter that the exchange is over. A filter that throws here changes nothing any more. */
export function runDone(x: HttpExchange): void {
  const { done } = x.plan.chain;
  for (let i = 0; i < done.length; i++) {
    try {
      done[i]!.done!(x);
    } catch (error) {
      x.reportFilter(error);
    }
  }
}
