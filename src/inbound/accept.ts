/**
 * Requests in: what is believed of a client, and what the app is told about it.
 * Host stays; who the client is, is added; what a client claims about itself counts only from trusted peers.
 */

import type { Version } from "../http/client.ts";
import type { HttpExchange } from "../http/exchange.ts";
import type { Manner } from "../http/manner.ts";
import type { RequestHead } from "../http/request-head.ts";

export const inbound: Manner = {
  receive(head: RequestHead, trusted: boolean): void {
    if (head.absolute) head.cutHost();
    if (!trusted) head.disbelieve();
  },

  connectionLines(address: string, scheme: "http" | "https", version: Version): string {
    return `x-forwarded-for: ${address}\r\nx-forwarded-proto: ${scheme}\r\n${via(version)}x-request-id: `;
  },

  namesUpstream: false,

  linesBehind(x: HttpExchange): string | undefined {
    if (mustMerge(x) || x.head.hostStart === -1) return undefined;
    return x.edited ? x.addedText() + x.client.connectionLines : x.client.connectionLines;
  },

  requestFields(x: HttpExchange, authority: string): string {
    const { client } = x;
    if (mustMerge(x)) return mergedFields(x) + hostIfAbsent(x, authority);
    return `${hostIfAbsent(x, authority)}${x.fieldText()}${client.connectionLines}${x.id}\r\n`;
  },
};

/** True when filters have edited the fields, or a trusted peer has said something of what is added here. */
function mustMerge(x: HttpExchange): boolean {
  return x.rewritten || (x.client.trusted && x.head.claims !== null);
}

/** HTTP/1.0 clients may send no Host; an HTTP/1.1 request without one would be refused. */
function hostIfAbsent(x: HttpExchange, authority: string): string {
  if (x.head.hostStart !== -1 || x.namesHost) return "";
  return `Host: ${x.head.authority === "" ? authority : x.head.authority}\r\n`;
}

/** A trusted peer's claims go on, and what filters set: the peer itself is added to the list. */
function mergedFields(x: HttpExchange): string {
  const { client } = x;
  const chain = x.header("x-forwarded-for");
  x.setHeader("x-forwarded-for", chain === undefined ? client.peer.address : `${chain}, ${client.peer.address}`);
  if (x.header("x-forwarded-proto") === undefined) x.setHeader("x-forwarded-proto", x.scheme);
  x.setHeader("x-request-id", x.id);
  return `${x.fieldText()}${via(client.version)}`;
}

/** Names the version in which the request came (RFC 9110 section 7.6.3). */
function via(version: Version): string {
  return version === "http2" ? "via: 2 outrigger\r\n" : "via: 1.1 outrigger\r\n";
}
