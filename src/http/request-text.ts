/** The head that goes to an upstream: the client's own fields, minus this hop's, plus what the direction adds. */
import type { Version } from "./client.ts";
import type { HttpExchange } from "./exchange.ts";
import { upgradeLines } from "./upgrade.ts";

/**
 * @param authority Host of the upstream
 * @param version of the upstream: HTTP/2 tells it that the client takes trailers, as gRPC servers ask for
 * @param reframed true when filters change the body, so that its length is not known beforehand
 * @param offer protocols the upstream may switch to, of a request without a body
 */
export function requestText(
  x: HttpExchange,
  authority: string,
  reframed: boolean,
  offer: string,
  version: Version,
): string {
  if (reframed && (x.head.contentLength >= 0 || x.head.chunked)) x.dropFraming();
  const fields = x.client.plan.manner.requestFields(x, authority);
  const framing = reframed
    ? "transfer-encoding: chunked\r\n\r\n"
    : offer === ""
      ? "\r\n"
      : `${upgradeLines(offer)}\r\n`;
  const te = version === "http2" && x.head.takesTrailers ? "te: trailers\r\n" : "";
  return `${x.head.method} ${x.head.target} HTTP/1.1\r\n${te}${fields}${framing}`;
}
