/** Faults across listeners and routes. */

import { duplicateNames, namesIn } from "./across.ts";
import { captureFindings } from "./across-capture.ts";
import { openingFindings } from "./across-openings.ts";
import { streamFindings } from "./across-streams.ts";
import { type Address, addressesOverlap, parseAddress, parseUpstream } from "./address.ts";
import type { Finding } from "./faults.ts";
import { covers, parsePathPattern } from "./match.ts";
import { isMap, itemsOf, memberOf, type Path } from "./raw.ts";
import type { HeaderMatch, Match } from "./schema.ts";

interface Placed {
  readonly value: unknown;
  readonly path: Path;
}

function placed(document: unknown, key: string, under: Path): Placed[] {
  return itemsOf(document, key).map((value, at) => ({ value, path: [...under, key, at] }));
}

/** All findings about `inbound`, `outbound` and the health address. `policies` are the keys of filters. */
export function listenerFindings(document: unknown, policies: readonly string[]): Finding[] {
  const listeners = ["inbound", "outbound"].flatMap((section) => placed(document, section, []));
  const names = ["inbound", "outbound"].flatMap((section) => namesIn(itemsOf(document, section), [section]));
  return [
    ...duplicateNames(names, "listener"),
    ...collisions(document, listeners),
    ...listeners.flatMap(ofListener),
    ...listeners.flatMap((listener) => streamFindings(listener, policies)),
  ];
}

interface Bound {
  readonly address: Address;
  readonly path: Path;
  readonly what: string;
}

function boundAt(value: unknown, path: Path, what: string): Bound[] {
  if (typeof value !== "string" && typeof value !== "number") return [];
  const address = parseAddress(value);
  return "value" in address ? [{ address: address.value, path, what }] : [];
}

function collisions(document: unknown, listeners: readonly Placed[]): Finding[] {
  const own = [
    ...boundAt(memberOf(document, "health") ?? 7411, ["health"], "health"),
    ...boundAt(memberOf(document, "admin"), ["admin"], "admin"),
  ];
  const bound = listeners.flatMap(({ value, path }) =>
    boundAt(memberOf(value, "listen"), [...path, "listen"], "listener"),
  );
  const all = [...own, ...bound];
  return all.slice(1).flatMap(({ address, path }, at) => {
    const other = all.slice(0, at + 1).find((earlier) => addressesOverlap(earlier.address, address));
    if (other === undefined) return [];
    const owner =
      other.what === "listener"
        ? `another listener has ${other.address.text}`
        : `${other.what} listens on ${other.address.text}`;
    return [{ path, problem: `${address.text} is taken: ${owner}`, remedy: "write another port" }];
  });
}

function ofListener(listener: Placed): Finding[] {
  const { value, path } = listener;
  if (!isMap(value)) return [];
  const routes = placed(value, "routes", path);
  const goesNowhere =
    memberOf(value, "to") === undefined &&
    memberOf(value, "forwardProxy") === undefined &&
    routes.length === 0 &&
    (value.routes === undefined || Array.isArray(value.routes));
  return [
    ...(goesNowhere
      ? [{ path, problem: "the listener has neither to nor routes", remedy: "add to: http://host:port, or routes" }]
      : []),
    ...ofForwardProxy(listener),
    ...duplicateNames(namesIn(itemsOf(value, "routes"), [...path, "routes"]), "route of this listener"),
    ...routes.flatMap((route) => ofRoute(route)),
    ...unreachable(listener, routes),
    ...[listener, ...routes].flatMap((one) => toItself(one, memberOf(value, "listen"))),
    ...openingFindings(value, path),
    ...captureFindings(value, path),
  ];
}

function ofForwardProxy({ value, path }: Placed): Finding[] {
  if (memberOf(value, "forwardProxy") === undefined) return [];
  const at = { path: [...path, "forwardProxy"], atKey: true };
  if (path[0] === "inbound")
    return [{ ...at, problem: "a forward proxy is for calls out", remedy: "move the listener to outbound" }];
  if (memberOf(value, "to") === undefined) return [];
  return [
    { ...at, problem: "to and forwardProxy exclude each other", remedy: "remove one of them, or move to into a route" },
  ];
}

function ofRoute({ value, path }: Placed): Finding[] {
  if (!isMap(value)) return [];
  const { to, respond } = value;
  const remedy = "write to: http://host:port, or respond: with a status and a body";
  if (to === undefined && respond === undefined)
    return [{ path, problem: "the route has neither to nor respond", remedy }];
  const both = to !== undefined && respond !== undefined;
  return [
    ...(both
      ? [
          {
            path: [...path, "respond"],
            atKey: true,
            problem: "to and respond exclude each other",
            remedy: "remove one of them",
          },
        ]
      : []),
    ...ofRespond(respond, [...path, "respond"]),
  ];
}

function ofRespond(respond: unknown, path: Path): Finding[] {
  if (!isMap(respond)) return [];
  const { body, bodyFile, status, contentType, headers } = respond;
  const twice = isMap(headers) ? Object.keys(headers).find((name) => name.toLowerCase() === "content-type") : undefined;
  const findings: Finding[] = [];
  if (body !== undefined && bodyFile !== undefined) {
    findings.push({
      path: [...path, "bodyFile"],
      atKey: true,
      problem: "body and bodyFile exclude each other",
      remedy: "remove one of them",
    });
  }
  if ((status === 204 || status === 304 || status === 205) && (body ?? bodyFile) !== undefined) {
    findings.push({
      path: [...path, "status"],
      problem: `an answer with status ${status} has no body`,
      remedy: "remove the body, or write another status",
    });
  }
  if (contentType !== undefined && twice !== undefined) {
    findings.push({
      path: [...path, "headers", twice],
      atKey: true,
      problem: "contentType and this field are the same",
      remedy: "remove one of them",
    });
  }
  return findings;
}

/** A route, or the listener's own `to`, behind one that takes everything it would. */
function unreachable(listener: Placed, routes: readonly Placed[]): Finding[] {
  const matches = routes.map(({ value }) => matchOf(memberOf(value, "match")));
  // Of an `auto` listener, routes for bytes and routes for requests are not in each other's way.
  const alike = (place: Placed) =>
    matches.map((match, at) => (isForBytes(routes[at]!) === isForBytes(place) ? match : undefined));
  const findings = routes.flatMap((route, at) => hidden(alike(route).slice(0, at), matches[at], route.path));
  if (memberOf(listener.value, "to") === undefined) return findings;
  const takesAll = alike(listener).findIndex((match) => match !== undefined && covers(match, everything));
  if (takesAll === -1) return findings;
  const problem = `no request gets here: routes[${takesAll}] takes every one`;
  return [
    ...findings,
    { path: [...listener.path, "to"], atKey: true, problem, remedy: "remove it, or give that route a match" },
  ];
}

function isForBytes({ value }: Placed): boolean {
  return /^(?:tcp|tls):/i.test(String(memberOf(value, "to")));
}

const everything: Match = { path: undefined, methods: undefined, headers: [] };

function hidden(earlier: readonly (Match | undefined)[], match: Match | undefined, path: Path): Finding[] {
  if (match === undefined) return [];
  const by = earlier.findIndex((one) => one !== undefined && covers(one, match));
  if (by === -1) return [];
  return [
    {
      path,
      problem: `no request gets here: routes[${by}] takes all that would`,
      remedy: "move it above that route, or remove it",
    },
  ];
}

/** The match as far as it can be read; undefined when it cannot, which is a fault of its own. */
function matchOf(match: unknown): Match | undefined {
  if (match === undefined) return everything;
  if (!isMap(match)) return undefined;
  const path = typeof match.path === "string" ? parsePathPattern(match.path) : { value: undefined };
  const methods = typeof match.method === "string" ? [match.method] : match.method;
  const headers = match.headers ?? {};
  if (!("value" in path) || !isMap(headers) || (methods !== undefined && !Array.isArray(methods))) return undefined;
  return {
    path: path.value,
    methods: methods?.map((method) => String(method).toUpperCase()),
    headers: Object.entries(headers).map(headerOf),
    sni: match.sni === undefined ? undefined : [match.sni].flat().map((name) => String(name).toLowerCase()),
  };
}

/** Only compared with others of its kind, so its value may stay as it was written. */
function headerOf([name, is]: [string, unknown]): HeaderMatch {
  return { name: name.toLowerCase(), equals: JSON.stringify(is) };
}

/** A listener that sends to its own address would call itself until nothing is left. */
function toItself({ value, path }: Placed, listen: unknown): Finding[] {
  const to = memberOf(value, "to");
  const [own] = boundAt(listen, path, "listener");
  const upstream = typeof to === "string" ? parseUpstream(to) : undefined;
  if (own === undefined || upstream === undefined || !("value" in upstream)) return [];
  const { port } = upstream.value;
  const host = upstream.value.host === "localhost" ? "127.0.0.1" : upstream.value.host;
  const isLoopback = host.startsWith("127.") || host === "::1" || host === "0.0.0.0" || host === "::";
  if (!isLoopback && host !== own.address.host) return [];
  if (!addressesOverlap(own.address, { host, port, text: "" })) return [];
  return [{ path: [...path, "to"], problem: `${to} is this listener itself`, remedy: "write where the app listens" }];
}
