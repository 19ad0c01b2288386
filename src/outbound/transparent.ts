/**
 * Captured calls out, which the app believes to go to where it called: they go on as they came, Host included. Only one
 * that a route sends to another place is named after that, as every other call out.
 */
import type { HttpExchange } from "../http/exchange.ts";
import type { Manner } from "../http/manner.ts";
import type { RequestHead } from "../http/request-head.ts";

export const transparent: Manner = {
  receive(head: RequestHead): void {
    if (head.absolute) head.cutHost();
  },

  connectionLines(): string {
    return "";
  },

  namesUpstream: false,

  linesBehind(x: HttpExchange): string | undefined {
    return x.edited || x.head.hostStart === -1 || goesElsewhere(x) ? undefined : "";
  },

  requestFields(x: HttpExchange, authority: string): string {
    if (goesElsewhere(x)) return renamed(x, authority);
    if (x.head.hostStart !== -1 || x.namesHost) return x.fieldText();
    return `Host: ${x.head.authority === "" ? authority : x.head.authority}\r\n${x.fieldText()}`;
  },
};

function goesElsewhere({ plan }: HttpExchange): boolean {
  return plan.action.kind !== "original";
}

/** The fields with the Host of where it goes, unless a filter has chosen one. */
function renamed(x: HttpExchange, authority: string): string {
  if (x.rewritten) {
    if (!x.namesHost) return `Host: ${authority}\r\n${x.fieldText()}`;
    if (x.header("host") === x.head.authority) x.setHeader("host", authority);
    return x.fieldText();
  }
  x.head.cutHost();
  return `Host: ${authority}\r\n${x.fieldText()}`;
}
