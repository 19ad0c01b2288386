/** Faults across the options of transparent capture. */
import { parseAddress } from "./address.ts";
import type { Finding } from "./faults.ts";
import { itemsOf, memberOf, type Path } from "./raw.ts";

/** All findings about one listener. @param path begins with `inbound` or `outbound` */
export function captureFindings(listener: unknown, path: Path): Finding[] {
  if (memberOf(listener, "capture") !== true) return originalOfNothing(listener, path);
  return [
    ...proxied(listener, path),
    ...(path[0] === "inbound" ? onLoopback(listener, path) : decrypted(listener, path)),
  ];
}

function originalOfNothing(listener: unknown, path: Path): Finding[] {
  const routes = itemsOf(listener, "routes").map((value, at) => ({ value, path: [...path, "routes", at] }));
  return [{ value: listener, path }, ...routes]
    .filter(({ value }) => memberOf(value, "to") === "original")
    .map((place) => ({
      path: [...place.path, "to"],
      problem: "original is where a captured connection was going, and this listener captures none",
      remedy: "add capture: true to the listener, or write to: http://host:port",
    }));
}

/** The header would say where its client went to, and the redirect says it, too. */
function proxied(listener: unknown, path: Path): Finding[] {
  if (memberOf(listener, "proxyProtocol") !== true) return [];
  const problem = "capture and proxyProtocol exclude each other: both say where a connection was going";
  return [{ path: [...path, "proxyProtocol"], atKey: true, problem, remedy: "remove one of them" }];
}

/** What comes from outside is redirected to an address of the pod's interface, never to loopback. */
function onLoopback(listener: unknown, path: Path): Finding[] {
  const listen = memberOf(listener, "listen");
  const address = typeof listen === "string" || typeof listen === "number" ? parseAddress(listen) : undefined;
  if (address === undefined || !("value" in address)) return [];
  const { host, port } = address.value;
  if (host === undefined || !(host.startsWith("127.") || host === "::1")) return [];
  const problem = `nothing gets to ${host}: inbound connections are redirected to the pod's own address`;
  return [{ path: [...path, "listen"], problem, remedy: `write listen: ${port}` }];
}

/** The app meant it to be secret on the way, and `original` is reached in clear. */
function decrypted(listener: unknown, path: Path): Finding[] {
  if (memberOf(listener, "tls") === undefined) return [];
  const problem = "captured calls over TLS are passed on as they are; nothing here can speak for the server they go to";
  return [{ path: [...path, "tls"], atKey: true, problem, remedy: "remove it" }];
}
