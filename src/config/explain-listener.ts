/** What a listener does with a request, in sentences. */
import { phases } from "../contracts.ts";
import { type DropIns, keyOf, type LoadedFilter } from "./drop-ins.ts";
import { explainCapture } from "./explain-capture.ts";
import { explainArrival, explainUpstream } from "./explain-openings.ts";
import { explainStream, explainStreams } from "./explain-streams.ts";
import { explainGuards } from "./guards.ts";
import { formatDuration, formatSize } from "./scalars.ts";
import type { Address, HeaderMatch, Listener, Match, Respond, Route, UserFilter } from "./schema.ts";

/** `1 field`, `2 fields`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** The sentences about one listener and its routes, in the order they are tried. */
export function explainListener(listener: Listener, dropIns: DropIns): string[] {
  const protocol = listener.arrival?.protocol;
  if (protocol === "tcp" || protocol === "tls") return explainStreams(listener, protocol);
  const { direction, listen, name, timeouts } = listener;
  const place = placeOf(listen);
  const what = direction === "inbound" ? "A request" : "A call";
  const routes = listener.routes.flatMap((route, at) => explainRoute(route, at, dropIns));
  return [
    `${what} to ${place} (${direction} "${name}"):`,
    ...explainCapture(listener).map((sentence) => `  ${sentence}`),
    ...explainArrival(listener).map((sentence) => `  ${sentence}`),
    `  Its head must be complete within ${formatDuration(timeouts.headMs)}, else 408; a connection may rest for ${formatDuration(timeouts.keepAliveMs)} between requests.`,
    `  ${trusted(listener)}`,
    ...routes,
    ...unmatched(listener, dropIns),
    ...explainGuards(listener, dropIns).map((sentence) => `  ${sentence}`),
  ];
}

/** `port 8080 of every address`, or the address. */
export function placeOf(listen: Address): string {
  return listen.host === undefined ? `port ${listen.port} of every address` : listen.text;
}

function trusted({ trust }: Listener): string {
  if (trust.length === 0) return "No peer's forwarding fields or request ids are taken over.";
  return `Forwarding fields and request ids are taken over from ${trust.map(({ text }) => text).join(", ")}.`;
}

function unmatched(listener: Listener, dropIns: DropIns): string[] {
  if (listener.routes.some(({ match, action }) => takesAll(match) && isForAnyRequest(action))) return [];
  const on = passes(listener, dropIns, false);
  return [`  Otherwise it gets 404 (no_route).${on === "" ? "" : ` ${on}`}`];
}

function isForAnyRequest(action: Route["action"]): boolean {
  if (action.kind === "forward") return action.to.scheme !== "tcp" && action.to.scheme !== "tls";
  return action.kind === "respond";
}

function takesAll({ path, methods, headers }: Match): boolean {
  return path === undefined && methods === undefined && headers.length === 0;
}

function explainRoute(route: Route, at: number, dropIns: DropIns): string[] {
  if (route.action.kind === "forward" && (!isForAnyRequest(route.action) || route.match.sni !== undefined))
    return explainStream(route, at, "If it is no HTTP");
  const others = at === 0 ? "Whatever it is" : "Whatever else it is";
  const isProxy = route.action.kind === "proxy";
  const named = isProxy ? "CONNECT, or in absolute form" : condition(route.match);
  const when = takesAll(route.match) && !isProxy ? others : `If it is ${named}`;
  const on = passes(route, dropIns, route.action.kind !== "respond");
  return [
    `  ${at + 1}. ${when}, it ${outcome(route)} (route "${route.name}").`,
    ...(on === "" ? [] : [`     ${on}`]),
    ...[...explainUpstream(route), ...limits(route)].map((sentence) => `     ${sentence}`),
  ];
}

function condition({ path, methods, headers }: Match): string {
  const method = methods === undefined ? "" : `a ${methods.join(" or ")} `;
  const target = path === undefined ? "any path" : "exact" in path ? path.exact : `anything below ${path.prefix}`;
  const fields = headers.map(headerCondition).join(" and ");
  return `${method}for ${target}${fields === "" ? "" : ` ${fields}`}`;
}

function headerCondition(header: HeaderMatch): string {
  if ("equals" in header) return `with the ${header.name} given`;
  if ("matches" in header) return `with a ${header.name} matching /${header.matches.source}/`;
  return `${header.present ? "with" : "without"} ${header.name}`;
}

function outcome({ action }: Route): string {
  if (action.kind === "forward")
    return action.to.scheme === "original" ? "goes where it was going" : `is sent to ${action.to.text}`;
  if (action.kind === "respond") return `is answered here with ${answer(action.respond)}`;
  return `goes to the authority it names, if that is ${action.allow.map(({ text }) => text).join(" or ")}, else 403 (forward_proxy_refused)`;
}

function answer({ status, headers, body }: Respond): string {
  const type = headers.find(([name]) => name.toLowerCase() === "content-type")?.[1];
  if (body === undefined) return `${status} and no body`;
  const from = "file" in body ? `the file ${body.file}` : plural(new TextEncoder().encode(body.text).length, "byte");
  return `${status} and ${from}${type === undefined ? "" : ` of ${type}`}`;
}

/** Filters of the attempt phase have no part in what no upstream is asked. */
function passes({ policies, filters }: Pick<Route, "policies" | "filters">, dropIns: DropIns, asks: boolean): string {
  const builtIn = Object.keys(policies)
    .map((name) => dropIns.filters.get(keyOf(name)))
    .filter((filter) => filter !== undefined)
    .sort((a, b) => a.order - b.order)
    .map((filter) => ({ phase: filter.phase, words: passed(filter, policies[filter.name]) }));
  const own = filters.map((filter) => ({ phase: filter.phase, words: ownPassed(filter) }));
  const all = [...builtIn, ...own]
    .filter(({ phase }) => asks || phase !== "attempt")
    .sort((a, b) => phases.indexOf(a.phase) - phases.indexOf(b.phase));
  return all.length === 0 ? "" : `It passes ${all.map(({ words }) => words).join(", then ")}.`;
}

/** `add-tenant (shape, /etc/outrigger/filters/add-tenant.ts: adds the tenant; when it fails, 503; 1s at most)` */
function ownPassed({ name, phase, source, doc, onError, budgetMs, isBlamed }: UserFilter): string {
  if (isBlamed) {
    const instead = onError === "fail" ? "every request here is answered 503 (filter_failed)" : "it is left out";
    return `${name} (${phase}, ${source}: ${instead}, as it ${doc})`;
  }
  const what = doc === "" ? "" : `: ${doc.replace(/\.$/, "")}`;
  const failing = onError === "fail" ? "when it fails, 503" : "when it fails, on without it";
  return `${name} (${phase}, ${source}${what}; ${failing}; ${formatDuration(budgetMs)} at most)`;
}

function passed(filter: LoadedFilter, options: unknown): string {
  const more = filter.explain?.(options).trim().replace(/\.$/, "");
  return `${filter.name} (${filter.phase}${more === undefined ? "" : `: ${more}`})`;
}

function limits({ action, timeouts, maxBodyBytes, upgrade }: Route): string[] {
  const body = maxBodyBytes === 0 ? [] : [`Its body may have ${formatSize(maxBodyBytes)}, else 413.`];
  if (action.kind === "respond") return body;
  if (!upgrade) body.push("A wish to change the protocol, such as WebSocket's, is not passed on.");
  const times: [number, string][] = [
    [timeouts.connectMs, "the connection"],
    [timeouts.responseMs, "the head of the answer"],
    [timeouts.requestMs, "all of it"],
    [timeouts.idleMs, "the next byte"],
  ];
  const waits = times.filter(([ms]) => ms > 0).map(([ms, what]) => `${formatDuration(ms)} for ${what}`);
  return waits.length === 0 ? body : [`It waits ${waits.join(", ")}; longer is 504.`, ...body];
}
