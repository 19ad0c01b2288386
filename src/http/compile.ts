/** Compiles a listener's configuration into its plan: routes, filters in their order, counters. */
import { inRanges } from "../config/cidr.ts";
import type { Limits, Listener, Route, RouteAction, RouteTimeouts, UserFilter } from "../config/schema.ts";
import { type Counter, type Filter, type FilterDefinition, type Phase, phases } from "../contracts.ts";
import { errorCode, UserError } from "../errors.ts";
import { inbound } from "../inbound/accept.ts";
import type { Capture } from "../net/capture.ts";
import type { Expiring } from "../net/certificate-expiry.ts";
import { outbound } from "../outbound/capture.ts";
import type { ForwardProxy } from "../outbound/forward-proxy.ts";
import { transparent } from "../outbound/transparent.ts";
import { compileStreams, isForRequests, servesHttp } from "../tcp/compile-streams.ts";
import type { UserFilters } from "../user-filters/runtime.ts";
import { buildChain } from "./chain.ts";
import { compileForward } from "./compile-forward.ts";
import type { Engine } from "./engine.ts";
import type { Manner } from "./manner.ts";
import { compileMatch, isAbsolute } from "./match.ts";
import { compileArrival, protocolFor } from "./openings.ts";
import type { OriginalPools } from "./original-pools.ts";
import type { Action, ListenerPlan, RoutePlan } from "./plan.ts";
import { RouteIndex } from "./route-index.ts";

/** How drop-ins are found; the generated registry, or a test's own. */
export type FilterRegistry = Readonly<Record<string, () => Promise<{ default: FilterDefinition }>>>;

export interface Compiled {
  readonly plan: ListenerPlan;
  /** Every filter that was made for it, to be closed when the plan is replaced. */
  readonly filters: readonly Filter[];
  /** Every certificate it uses. */
  readonly certificates: readonly Expiring[];
}

/** @throws UserError when a certificate, a filter or a body file cannot be had */
export async function compileListener(
  engine: Engine,
  listener: Listener,
  limits: Limits,
  registry: FilterRegistry,
  userFilters?: UserFilters,
): Promise<Compiled> {
  const workshop = new FilterWorkshop(engine, listener, registry, userFilters);
  const certificates: Expiring[] = [];
  try {
    const arrival = await compileArrival(listener, orNever(listener.timeouts.headMs));
    certificates.push(...arrival.certificates);
    const routes: RoutePlan[] = [];
    if (servesHttp(listener))
      for (const route of listener.routes.filter(isForRequests))
        routes.push(await compileRoute(engine, listener, route, workshop, certificates));
    const stream = await compileStreams(engine, listener, certificates);
    const plan = await listenerPlan(engine, listener, limits, routes, workshop);
    const filters = [...workshop.made, ...waysOf(routes)];
    return { plan: { ...plan, arrival: arrival.value, stream }, filters, certificates };
  } catch (error) {
    for (const filter of workshop.made) filter.close?.();
    throw error;
  }
}

/** From so many routes on, an index costs less than asking them in turn. */
const fewestIndexed = 8;

/** They keep connections, which are closed as filters are. */
function waysOf(routes: readonly RoutePlan[]): (ForwardProxy | OriginalPools)[] {
  const ways: (ForwardProxy | OriginalPools)[] = [];
  for (const { action } of routes) {
    if (action.kind === "original") ways.push(action.pools);
    else if (action.kind === "proxy") ways.push(action.proxy);
  }
  return ways;
}

function mannerOf({ direction, capture }: Listener): Manner {
  if (direction === "inbound") return inbound;
  return capture === true ? transparent : outbound;
}

/** @throws UserError where the system cannot tell where connections were going */
async function compileCapture(engine: Engine, { capture, direction, name }: Listener): Promise<Capture | undefined> {
  if (capture !== true) return undefined;
  const { Capture } = await import("../net/capture.ts");
  if (Capture.isPossible) return new Capture(engine);
  throw new UserError(
    `${direction} "${name}": capture needs Linux with glibc, which tells where a connection was going`,
    3,
  );
}

async function listenerPlan(
  engine: Engine,
  listener: Listener,
  limits: Limits,
  routes: RoutePlan[],
  workshop: FilterWorkshop,
): Promise<Omit<ListenerPlan, "arrival" | "stream">> {
  const { metrics } = engine.thread;
  const proxy = routes.find(({ action }) => action.kind === "proxy");
  const labels = { direction: listener.direction, listener: listener.name };
  return {
    name: listener.name,
    direction: listener.direction,
    manner: mannerOf(listener),
    capture: await compileCapture(engine, listener),
    limits: { headBytes: limits.headBytes, headFields: limits.headFields, connect: proxy !== undefined },
    headTimeout: orNever(listener.timeouts.headMs),
    keepAliveTimeout: orNever(listener.timeouts.keepAliveMs),
    trusts: (address) => inRanges(address, listener.trust),
    routes,
    index: routes.length < fewestIndexed ? undefined : new RouteIndex(routes.map(({ path }) => path)),
    proxy,
    fallback: {
      name: "-",
      path: undefined,
      matches: () => true,
      action: { kind: "refuse", code: "no_route" },
      chain: buildChain(await workshop.filters(listener)),
      timeouts: timeouts(listener.timeouts),
      maxBodyBytes: listener.maxBodyBytes,
      upgrades: false,
      requests: requestCounters(engine, listener, "-"),
    },
    retired: false,
    connections: metrics.gauge("outrigger_connections", labels),
    detectTimeouts: metrics.counter("outrigger_detect_timeouts_total", labels),
    tunnels: metrics.gauge("outrigger_tunnels", labels),
    duration: metrics.histogram("outrigger_request_duration_seconds", labels),
    receivedBytes: metrics.counter("outrigger_received_bytes_total", labels),
    sentBytes: metrics.counter("outrigger_sent_bytes_total", labels),
  };
}

async function compileRoute(
  engine: Engine,
  listener: Listener,
  route: Route,
  workshop: FilterWorkshop,
  certificates: Expiring[],
): Promise<RoutePlan> {
  return {
    name: route.name,
    path: route.match.path,
    matches: route.action.kind === "proxy" ? isAbsolute : compileMatch(route.match),
    action: await compileAction(engine, listener, route.action, certificates),
    chain: buildChain(await workshop.filters(route)),
    timeouts: timeouts(route.timeouts),
    maxBodyBytes: route.maxBodyBytes,
    upgrades: route.upgrade,
    requests: requestCounters(engine, listener, route.name),
  };
}

async function compileAction(
  engine: Engine,
  { direction }: Listener,
  action: RouteAction,
  certificates: Expiring[],
): Promise<Action> {
  if (action.kind === "forward" && action.to.scheme === "original") {
    const { OriginalPools } = await import("./original-pools.ts");
    const protocol = protocolFor(action.to, action.upstream);
    return { kind: "original", pools: await OriginalPools.load(engine, direction, action.upstream, protocol) };
  }
  if (action.kind === "forward") return compileForward(engine, action, certificates);
  if (action.kind === "proxy") {
    const { ForwardProxy } = await import("../outbound/forward-proxy.ts");
    return { kind: "proxy", proxy: new ForwardProxy(engine, action.allow) };
  }
  const { status, headers, body } = action.respond;
  if (body === undefined) return { kind: "respond", reply: { status, headers } };
  return {
    kind: "respond",
    reply: { status, headers, body: "text" in body ? new TextEncoder().encode(body.text) : await readBody(body.file) },
  };
}

/** The file is read here and kept: a request must not wait for a disk, and a reload sees changes. */
async function readBody(file: string): Promise<Uint8Array> {
  try {
    return await Bun.file(file).bytes();
  } catch (error) {
    throw new UserError(
      `cannot read the body file ${file}: ${errorCode(error) ?? error}; make it readable or write the body into the configuration`,
      1,
    );
  }
}

function timeouts(given: RouteTimeouts): RoutePlan["timeouts"] {
  const { connectMs, startMs, responseMs, requestMs, idleMs, tunnelMs } = given;
  return {
    connect: connectMs,
    start: startMs,
    response: responseMs,
    request: requestMs,
    idle: idleMs,
    tunnel: orNever(tunnelMs),
  };
}

function orNever(delayMs: number): number {
  return delayMs === 0 ? Number.POSITIVE_INFINITY : delayMs;
}

function requestCounters(engine: Engine, listener: Listener, route: string): Counter[] {
  const { direction, name } = listener;
  return ["none", "1xx", "2xx", "3xx", "4xx", "5xx"].map((kind) =>
    engine.thread.metrics.counter("outrigger_requests_total", { direction, listener: name, route, class: kind }),
  );
}

/** A filter that is to be made: where it stands, and how. */
interface Wanted {
  readonly phase: Phase;
  /** The same object for what is the same filter. */
  readonly key: unknown;
  make(): Promise<Filter> | Filter;
}

/** Makes the filters of one listener; routes that share a policy, or an entry of `filters:`, share its filter. */
class FilterWorkshop {
  readonly made: Filter[] = [];
  private readonly engine: Engine;
  private readonly listener: Listener;
  private readonly registry: FilterRegistry;
  private readonly userFilters: UserFilters | undefined;
  private readonly known = new Map<unknown, Map<unknown, Filter>>();

  constructor(engine: Engine, listener: Listener, registry: FilterRegistry, userFilters: UserFilters | undefined) {
    this.engine = engine;
    this.listener = listener;
    this.registry = registry;
    this.userFilters = userFilters;
  }

  /** The filters of a listener or route in the order in which they run: by phase, built-in ones by number, then the user's. */
  async filters({ policies, filters: own }: Pick<Route, "policies" | "filters">): Promise<Filter[]> {
    const all = [...(await this.builtIn(policies)), ...own.map((filter) => this.userFilter(filter))];
    all.sort((a, b) => phases.indexOf(a.wanted.phase) - phases.indexOf(b.wanted.phase));
    const filters: Filter[] = [];
    // One after the other: when one cannot be made, all that were made are known and can be closed.
    for (const { kind, wanted } of all) filters.push(await this.make(kind, wanted));
    return filters;
  }

  private async builtIn(policies: Route["policies"]): Promise<{ kind: unknown; wanted: Wanted }[]> {
    const found: { definition: FilterDefinition; options: unknown }[] = [];
    for (const [name, options] of Object.entries(policies)) {
      found.push({ definition: (await this.registry[name]!()).default, options });
    }
    found.sort((a, b) => a.definition.order - b.definition.order);
    const { direction, name } = this.listener;
    const context = { ...this.engine.thread, direction, listener: name };
    return found.map(({ definition, options }) => {
      const make = async () => definition.create(options, context);
      return { kind: definition, wanted: { phase: definition.phase, key: options, make } };
    });
  }

  private userFilter(filter: UserFilter): { kind: unknown; wanted: Wanted } {
    const make = () => {
      if (this.userFilters === undefined) throw new TypeError("user filters need a place to be made");
      return this.userFilters.make(filter, this.listener);
    };
    return { kind: filter.name, wanted: { phase: filter.phase, key: filter, make } };
  }

  private async make(kind: unknown, { key, make }: Wanted): Promise<Filter> {
    const known = this.known.get(kind) ?? new Map<unknown, Filter>();
    const same = typeof key === "object" ? known.get(key) : undefined;
    if (same !== undefined) return same;
    const filter = await make();
    this.made.push(filter);
    this.known.set(kind, known.set(key, filter));
    return filter;
  }
}
