/**
 * Guards a listener on loopback against web pages. A page may send requests to this machine, and with a name of its own
 * that is made to point here (DNS rebinding) its browser even lets it read the answers. What gives it away: such a
 * request names a host that is not ours, or says where it comes from.
 */

/** Why the request is not answered, as a sentence; undefined when nothing speaks against it. `port` is the bound one. */
export function pageRefusal({ headers }: Request, port: number): string | undefined {
  const host = headers.get("host") ?? "";
  if (!isOurs(host, port)) return `the host ${host === "" ? "is missing" : `"${host}" is not this listener`}`;
  const origin = headers.get("origin");
  if (origin !== null && !(origin.startsWith("http://") && isOurs(origin.slice("http://".length), port))) {
    return "the request comes from a web page of another origin";
  }
  // Loaded into a page as a script or an image: no origin is said then. A link that was followed is no harm.
  const isForeign = headers.get("sec-fetch-site") === "cross-site" && headers.get("sec-fetch-mode") !== "navigate";
  return isForeign ? "the request comes from a web page of another site" : undefined;
}

/** `127.0.0.1:7410`, `localhost:7410`, `[::1]:7410`; the port may be left out where it is 80. */
function isOurs(host: string, port: number): boolean {
  const match = /^(localhost|127(?:\.\d{1,3}){3}|\[::1\])(?::(\d{1,5}))?$/i.exec(host);
  return match !== null && Number(match[2] ?? 80) === port;
}
