/** What an intermediary owes a request for having come this way: Max-Forwards, TRACE, and loops (RFC 9110 section 7.6). */
import type { Reply } from "../contracts.ts";
import type { FailureCode } from "../errors.ts";
import type { HttpExchange } from "./exchange.ts";

/** How often a request may have come through sidecars of this name: a chain of so many is a circle. */
const mostHops = 16;
/** The largest number we count down from (RFC 9110 section 7.6.2 lets a recipient have one). */
const mostForwards = 2 ** 31 - 1;

/** Why a request goes no further, or the answer to one that was to come only this far. */
export type HopVerdict =
  | { readonly code: FailureCode; readonly detail: string }
  | { readonly reply: Reply }
  | undefined;

/** Only for OPTIONS, TRACE, and requests with Via: others need no look. */
export function judgeHop(x: HttpExchange): HopVerdict {
  if (x.head.via !== "" && hopsOf(x.head.via) >= mostHops)
    return { code: "loop", detail: `Via names ${mostHops} sidecars` };
  // It would be answered with the request itself, credentials included (RFC 9110 section 9.3.8).
  if (x.method === "TRACE") return { code: "trace_refused", detail: "TRACE" };
  if (x.method !== "OPTIONS") return undefined;
  const forwards = x.header("max-forwards");
  if (forwards === undefined) return undefined;
  if (!/^[0-9]+$/.test(forwards)) return { code: "bad_header", detail: "Max-Forwards is not a number" };
  const left = Number(forwards);
  if (left === 0) return { reply: { status: 200 } };
  x.setHeader("max-forwards", String(Math.min(left - 1, mostForwards)));
  return undefined;
}

/** Members of Via that this product wrote; comments and other members may say what they like. */
function hopsOf(via: string): number {
  return via.split(",").filter((member) => /^\s*(?:HTTP\/)?[0-9.]+\s+outrigger\s*(?:\(|$)/i.test(member)).length;
}
