/** Calls out: Host is taken from where the call goes, and nothing is added that the app did not say. */
import type { HttpExchange } from "../http/exchange.ts";
import type { Manner } from "../http/manner.ts";
import type { RequestHead } from "../http/request-head.ts";

export const outbound: Manner = {
  receive(head: RequestHead): void {
    head.cutHost();
  },

  connectionLines(): string {
    return "";
  },

  namesUpstream: true,

  linesBehind(x: HttpExchange): string | undefined {
    return x.edited ? undefined : "";
  },

  requestFields(x: HttpExchange, authority: string): string {
    if (x.plan.action.kind === "proxy") return `Host: ${authority}\r\n${x.fieldText()}via: 1.1 outrigger\r\n`;
    return x.namesHost ? x.fieldText() : `Host: ${authority}\r\n${x.fieldText()}`;
  },
};
