/** The head that goes to an upstream: the client's own fields, minus this hop's, plus what the direction adds. */
import type { HttpExchange } from "./exchange.ts";
import { upgradeLines } from "./upgrade.ts";

/**
 * @param authority Host of the upstream
 * @param reframed true when filters change the body, so that its length is not known beforehand
 * @param offer protocols the upstream may switch to, of a request without a body
 */
export function requestText(x: HttpExchange, authority: string, reframed: boolean, offer: string): string {
  if (reframed && (x.head.contentLength >= 0 || x.head.chunked)) x.dropFraming();
  const fields = x.client.plan.manner.requestFields(x, authority);
  const framing = reframed
    ? "transfer-encoding: chunked\r\n\r\n"
    : offer === ""
      ? "\r\n"
      : `${upgradeLines(offer)}\r\n`;
  return `${x.head.method} ${x.head.target} HTTP/1.1\r\n${fields}${framing}`;
}
