/** The listeners and routes made of their options: defaults, and what a route takes over from its listener. */
import type { Direction, Field } from "../contracts.ts";
import { capturedDefaults, type ListenerOptions, type RouteOptions, timeoutDefaults } from "./listener-options.ts";
import { toMatch } from "./match.ts";
import { distinctNames } from "./names.ts";
import type { Listener, Respond, Route, RouteAction, RouteTimeouts, UpstreamPolicy, UserFilter } from "./schema.ts";
import { toArrival, toUpstreamPolicy } from "./tls-options.ts";

/** Names a filter's options by its file name, given its key: `logAccess` is `log-access`. */
export type FilterOf = (key: string) => string | undefined;

/** The user's filters among the options of a listener or a route, `routes[at]` where that is given. */
export type UserFiltersOf = (options: Pick<RouteOptions, "filters">, route?: number) => readonly UserFilter[];

/** The policies among an object's keys, over those taken over; `false` switches one off. */
function policies(
  options: object,
  filterOf: FilterOf,
  over: Readonly<Record<string, unknown>>,
): Record<string, unknown> {
  const all: Record<string, unknown> = { ...over };
  for (const [key, value] of Object.entries(options)) {
    const filter = filterOf(key);
    if (filter === undefined) continue;
    if (value === false) delete all[filter];
    else if (value !== undefined) all[filter] = value;
  }
  return all;
}

function mergeTimeouts(given: RouteOptions["timeouts"], over: RouteTimeouts): RouteTimeouts {
  return {
    connectMs: given?.connect ?? over.connectMs,
    startMs: given?.start ?? over.startMs,
    responseMs: given?.response ?? over.responseMs,
    requestMs: given?.request ?? over.requestMs,
    idleMs: given?.idle ?? over.idleMs,
    tunnelMs: given?.tunnel ?? over.tunnelMs,
  };
}

function toRespond(options: NonNullable<RouteOptions["respond"]>): Respond {
  const type: Field[] = options.contentType === undefined ? [] : [["content-type", options.contentType]];
  const { body, bodyFile } = options;
  const from = body === undefined ? bodyFile && { file: bodyFile } : { text: body };
  return { status: options.status, headers: [...type, ...(options.headers ?? [])], body: from || undefined };
}

function toAction(options: RouteOptions, over: UpstreamPolicy | undefined): RouteAction {
  if (options.to !== undefined) {
    const policy = toUpstreamPolicy(options.upstream, over);
    return { kind: "forward", to: options.to, ...(policy === undefined ? {} : { upstream: policy }) };
  }
  return { kind: "respond", respond: toRespond(options.respond ?? { status: 200 }) };
}

function toRoute(
  options: RouteOptions,
  listener: Omit<Listener, "routes">,
  over: UpstreamPolicy | undefined,
  filterOf: FilterOf,
): Omit<Route, "name"> {
  return {
    match: toMatch(options.match),
    action: toAction(options, over),
    timeouts: mergeTimeouts(options.timeouts, listener.timeouts),
    maxBodyBytes: options.maxBody ?? listener.maxBodyBytes,
    upgrade: options.upgrade ?? listener.upgrade,
    policies: policies(options, filterOf, listener.policies),
    filters: listener.filters,
  };
}

/** A route's name, or its default one: its path, else its place. */
function routeName(options: RouteOptions, at: number): { given: string | undefined; fallback: string } {
  const path = options.match?.path;
  const text = path && ("exact" in path ? path.exact : `${path.prefix}*`);
  return { given: options.name, fallback: text ?? `route-${at + 1}` };
}

/** The listener made of its options, its routes complete. */
export function toListener(
  options: ListenerOptions,
  direction: Direction,
  filterOf: FilterOf,
  userFiltersOf: UserFiltersOf,
): Listener {
  const over = options.capture && direction === "outbound" ? capturedDefaults : timeoutDefaults[direction];
  const { head = over.headMs, keepAlive = over.keepAliveMs, ...timeouts } = options.timeouts ?? {};
  const arrival = toArrival(options);
  const upstream = toUpstreamPolicy(options.upstream, undefined);
  const listener = {
    name: options.name ?? options.listen.text,
    direction,
    listen: options.listen,
    ...(options.capture ? { capture: true } : {}),
    ...(arrival === undefined ? {} : { arrival }),
    trust: options.trust ?? [],
    timeouts: { headMs: head, keepAliveMs: keepAlive, ...mergeTimeouts(timeouts, over) },
    maxBodyBytes: options.maxBody ?? 0,
    upgrade: options.upgrade ?? true,
    policies: policies(options, filterOf, {}),
    filters: userFiltersOf(options),
  };
  const given = options.routes ?? [];
  const last: RouteOptions[] = options.to === undefined ? [] : [{ to: options.to }];
  const { forwardProxy } = options;
  const names = distinctNames([
    ...given.map(routeName),
    ...last.map(() => ({ given: undefined, fallback: "default" })),
    ...(forwardProxy === undefined ? [] : [{ given: undefined, fallback: "forward-proxy" }]),
  ]);
  const routes = [...given, ...last].map((route, at): Route => {
    const filters = [...listener.filters, ...(at < given.length ? userFiltersOf(route, at) : [])];
    return { name: names[at]!, ...toRoute(route, listener, upstream, filterOf), filters };
  });
  if (forwardProxy === undefined) return { ...listener, routes };
  const action: RouteAction = { kind: "proxy", allow: forwardProxy.allow };
  return {
    ...listener,
    routes: [...routes, { name: names.at(-1)!, ...toRoute({}, listener, upstream, filterOf), action }],
  };
}
