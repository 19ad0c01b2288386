/** Changes of protocol on an HTTP/1.1 connection, such as to WebSocket's (RFC 9110 section 7.8). */
import { trimmed } from "./grammar.ts";
import type { RequestHead } from "./request-head.ts";
import type { ResponseFields } from "./response-fields.ts";
import type { ResponseHead } from "./response-head.ts";

/** A protocol's name and version. */
const protocol = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+(?:\/[!#$%&'*+\-.^_`|~0-9A-Za-z]+)?$/;

function protocols(value: string): string[] {
  return value
    .split(",")
    .map(trimmed)
    .filter((name) => name !== "");
}

/**
 * What a request offers to switch to and may be passed on; empty for nothing. Not for HTTP/1.0, as the RFC says; not
 * with a body, as what follows the head would be ambiguous; and neither h2c, which is retired (RFC 9113 section 3.1),
 * nor TLS (RFC 2817), as requests in either would pass by whatever looks at requests.
 */
export function offerOf(head: RequestHead): string {
  if (head.upgrade === "" || head.minor === 0 || !head.nominates("upgrade")) return "";
  if (head.chunked || head.contentLength > 0) return "";
  const offered = protocols(head.upgrade);
  if (!offered.every((name) => protocol.test(name))) return "";
  return offered.filter((name) => !/^h2c?$|^(?:HTTP|TLS)(?:\/|$)/i.test(name)).join(", ");
}

/** True when a 101 switches to what was offered, and to nothing else. */
export function isOffered(head: ResponseHead, offer: string): boolean {
  const offered = protocols(offer.toLowerCase());
  const chosen = protocols(head.upgrade.toLowerCase());
  return head.minor === 1 && chosen.length > 0 && chosen.every((name) => offered.includes(name));
}

/** The head of a 101 as it goes to the client. */
export function switchingHead(head: ResponseHead, fields: ResponseFields): string {
  fields.dropFraming(); // it has no body, whatever it says (RFC 9110 section 8.6)
  return `HTTP/1.1 101 ${head.reason}\r\n${fields.fieldText()}${upgradeLines(protocols(head.upgrade).join(", "))}\r\n`;
}

/** The two fields of this hop that ask for a switch, or agree to it. */
export function upgradeLines(names: string): string {
  return `Connection: Upgrade\r\nUpgrade: ${names}\r\n`;
}
