/** Faults of listeners that do not look into their connections: what is for requests has no meaning there. */
import type { Finding } from "./faults.ts";
import { isMap, itemsOf, memberOf, type Path } from "./raw.ts";

/** Keys of a listener or route that are about requests. */
const forRequests = ["maxBody", "upgrade", "forwardProxy", "respond"];
const matchesRequests = ["path", "method", "headers"];

interface Place {
  readonly value: unknown;
  readonly path: Path;
}

/** @param policies keys of filters, which look at requests */
export function streamFindings(listener: Place, policies: readonly string[]): Finding[] {
  const { value, path } = listener;
  const protocol = memberOf(value, "protocol") ?? (memberOf(value, "capture") === true ? "auto" : "http");
  const routes = itemsOf(value, "routes").map((route, at) => ({ value: route, path: [...path, "routes", at] }));
  const places = [listener, ...routes];
  if (protocol === "http") return [...places.flatMap(wrongUpstream), ...routes.flatMap(sniOfRequests)];
  if (protocol === "auto")
    return routes.flatMap((route) => (isForBytes(route) ? matchOfTls(route) : sniOfRequests(route)));
  if (protocol !== "tcp" && protocol !== "tls") return [];
  return [
    ...(protocol === "tcp" ? routesOfTcp(listener) : routes.flatMap(matchOfTls)),
    ...places.flatMap((place) => notForStreams(place, [...forRequests, ...policies], protocol)),
    ...places.flatMap((place) => notTcp(place, protocol)),
  ];
}

/** What goes where it was going is for bytes when it is told by the server name, and else for either. */
function isForBytes({ value }: Place): boolean {
  const to = String(memberOf(value, "to"));
  return /^(?:tcp|tls):/i.test(to) || (to === "original" && memberOf(memberOf(value, "match"), "sni") !== undefined);
}

function wrongUpstream({ value, path }: Place): Finding[] {
  const to = memberOf(value, "to");
  if (typeof to !== "string" || !/^(tcp|tls):/i.test(to)) return [];
  const http = to.replace(/^tcp/i, "http").replace(/^tls/i, "https");
  const remedy = `write ${http}, or protocol: tcp on the listener`;
  return [{ path: [...path, "to"], problem: `requests are not sent to ${to.slice(0, 3).toLowerCase()}://`, remedy }];
}

function sniOfRequests({ value, path }: Place): Finding[] {
  if (memberOf(memberOf(value, "match"), "sni") === undefined) return [];
  const remedy = "write protocol: tls on the listener and to: tcp://…, or match the Host by headers: { host: … }";
  return [
    { path: [...path, "match", "sni"], atKey: true, problem: "sni is matched where TLS is passed through", remedy },
  ];
}

function routesOfTcp({ value, path }: Place): Finding[] {
  if (memberOf(value, "routes") === undefined) return [];
  const remedy = "write to: tcp://host:port on the listener, or protocol: tls to route by server name";
  return [{ path: [...path, "routes"], atKey: true, problem: "nothing in a tcp connection can be matched", remedy }];
}

function matchOfTls({ value, path }: Place): Finding[] {
  const match = memberOf(value, "match");
  return matchesRequests
    .filter((key) => memberOf(match, key) !== undefined)
    .map((key) => ({
      path: [...path, "match", key],
      atKey: true,
      problem: `${key} cannot be seen in TLS that is passed through`,
      remedy: "match by sni, or let TLS end here: protocol: http with tls:",
    }));
}

function notForStreams({ value, path }: Place, keys: readonly string[], protocol: string): Finding[] {
  if (!isMap(value)) return [];
  return keys
    .filter((key) => value[key] !== undefined && value[key] !== false)
    .map((key) => ({
      path: [...path, key],
      atKey: true,
      problem: `${key} is about requests, and protocol: ${protocol} does not look at any`,
      remedy: "remove it, or write protocol: http",
    }));
}

function notTcp({ value, path }: Place, protocol: string): Finding[] {
  const to = memberOf(value, "to");
  if (typeof to !== "string" || !/^https?:/i.test(to)) return [];
  const remedy = `write ${to
    .replace(/^https/i, "tls")
    .replace(/^http/i, "tcp")
    .replace(/\/$/, "")}`;
  return [{ path: [...path, "to"], problem: `a ${protocol} listener does not speak HTTP`, remedy }];
}
