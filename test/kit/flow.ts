/** The traffic part of a sidecar in this process, its listeners on ports the kernel chose. */
import { parseCidr } from "../../src/config/cidr.ts";
import { parseDestination } from "../../src/config/forward-proxy.ts";
import type {
  Address,
  Config,
  Limits,
  Listener,
  ListenerArrival,
  ListenerTimeouts,
  Match,
  Respond,
  Route,
  Upstream,
  UpstreamPolicy,
} from "../../src/config/schema.ts";
import type { Direction, FilterDefinition, Metrics, Thread } from "../../src/contracts.ts";
import type { FailureCode } from "../../src/errors.ts";
import type { FilterRegistry } from "../../src/http/compile.ts";
import { Traffic } from "../../src/traffic.ts";
import { until } from "./until.ts";
import { Wire } from "./wire.ts";

export interface RouteWish {
  name?: string;
  match?: Partial<Match>;
  /** Port of the app on 127.0.0.1, unless `respond` is given. */
  to?: number;
  host?: string;
  /** Instead of `to`. */
  upstream?: Upstream;
  policy?: UpstreamPolicy;
  respond?: Respond;
  timeouts?: Partial<ListenerTimeouts>;
  maxBodyBytes?: number;
  upgrade?: boolean;
  policies?: Record<string, unknown>;
}

export interface ListenerWish extends Omit<RouteWish, "match" | "respond"> {
  direction?: Direction;
  port?: number;
  protocol?: ListenerArrival["protocol"];
  /** Listen on every address instead of 127.0.0.1. */
  everywhere?: boolean;
  trust?: string[];
  arrival?: ListenerArrival;
  /** Makes it a forward proxy for these. */
  allow?: string[];
  /** Tried before the listener's own `to`. */
  routes?: RouteWish[];
}

const defaultTimeouts: ListenerTimeouts = {
  connectMs: 500,
  startMs: 0,
  responseMs: 0,
  requestMs: 0,
  idleMs: 300_000,
  tunnelMs: 3_600_000,
  headMs: 10_000,
  keepAliveMs: 65_000,
};

/** What the loader would have made of a file with these listeners. */
export function configOf(wishes: readonly ListenerWish[], limits: Partial<Limits> = {}): Config {
  const listeners = wishes.map(listenerOf);
  return {
    file: "outrigger.yaml",
    state: undefined,
    health: address(0),
    admin: "off",
    shutdown: { graceMs: 25_000 },
    concurrency: 1,
    limits: { connections: undefined, headBytes: 65_536, headFields: 200, memory: { share: 0.7 }, ...limits },
    logs: [],
    schedules: [],
    inbound: listeners.filter((listener) => listener.direction === "inbound"),
    outbound: listeners.filter((listener) => listener.direction === "outbound"),
  };
}

function address(port: number, everywhere = false): Address {
  return everywhere
    ? { host: undefined, port, text: String(port) }
    : { host: "127.0.0.1", port, text: `127.0.0.1:${port}` };
}

function listenerOf(wish: ListenerWish): Listener {
  const { direction = "inbound", name = "web", port = 0, trust = [], routes = [] } = wish;
  const { allow } = wish;
  const last: RouteWish = { name: "default", ...(wish.to !== undefined && { to: wish.to }) };
  const own = wish.to === undefined && wish.upstream === undefined ? routes : [...routes, last];
  const timeouts = { ...defaultTimeouts, ...wish.timeouts };
  const common = {
    maxBodyBytes: wish.maxBodyBytes ?? 0,
    upgrade: wish.upgrade ?? true,
    policies: wish.policies ?? {},
    filters: [],
  };
  return {
    name,
    direction,
    listen: address(port, wish.everywhere),
    arrival: wish.arrival ?? (wish.protocol && { protocol: wish.protocol, proxyProtocol: false, tls: undefined }),
    trust: trust.map((text) => {
      const parsed = parseCidr(text);
      if ("problem" in parsed) throw new Error(parsed.problem);
      return parsed.value;
    }),
    routes: [
      ...own.map((route, at) =>
        routeOf({ ...wish, ...common, name: `route-${at + 1}`, ...route }, { ...timeouts, ...route.timeouts }),
      ),
      ...(allow === undefined ? [] : [proxyOf(allow, routeOf({ ...common, name: "forward-proxy", to: 0 }, timeouts))]),
    ],
    timeouts,
    ...common,
  };
}

function proxyOf(allow: readonly string[], route: Route): Route {
  const destinations = allow.map((text) => {
    const parsed = parseDestination(text);
    if ("problem" in parsed) throw new Error(parsed.problem);
    return parsed.value;
  });
  return { ...route, action: { kind: "proxy", allow: destinations } };
}

function routeOf(wish: RouteWish, timeouts: ListenerTimeouts): Route {
  const host = wish.host ?? "127.0.0.1";
  const authority = `${host}:${wish.to}`;
  return {
    name: wish.name ?? "",
    match: { path: undefined, methods: undefined, headers: [], ...wish.match },
    action:
      wish.respond === undefined
        ? {
            kind: "forward",
            to: wish.upstream ?? { scheme: "http", host, port: wish.to ?? 0, authority, text: `http://${authority}` },
            upstream: wish.policy,
          }
        : { kind: "respond", respond: wish.respond },
    timeouts,
    maxBodyBytes: wish.maxBodyBytes ?? 0,
    upgrade: wish.upgrade ?? true,
    policies: wish.policies ?? {},
    filters: [],
  };
}

export interface SeenEvent {
  readonly name: string;
  readonly fields: Record<string, unknown>;
}

export interface FlowOptions {
  maxConnections?: number;
  memoryLimitBytes?: number;
  residentBytes?: () => number;
  filters?: Record<string, FilterDefinition>;
  limits?: Partial<Limits>;
}

export class Flow {
  readonly events: SeenEvent[] = [];
  /** Values of counters and gauges, by name and labels as they stand in an exposition. */
  readonly values = new Map<string, number>();
  readonly traffic: Traffic;
  private readonly limits: Partial<Limits>;

  private constructor(options: FlowOptions) {
    this.limits = options.limits ?? {};
    this.traffic = new Traffic(this.thread(), {
      maxConnections: options.maxConnections ?? 10_000,
      memoryLimitBytes: options.memoryLimitBytes ?? Number.POSITIVE_INFINITY,
      ...(options.residentBytes === undefined ? {} : { residentBytes: options.residentBytes }),
      registry: registryOf(options.filters ?? {}),
    });
  }

  static async start(wishes: readonly ListenerWish[], options: FlowOptions = {}): Promise<Flow> {
    const flow = new Flow(options);
    await flow.reload(wishes);
    return flow;
  }

  config(wishes: readonly ListenerWish[]): Config {
    return configOf(wishes, this.limits);
  }

  async reload(wishes: readonly ListenerWish[]): Promise<void> {
    (await this.traffic.prepare(this.config(wishes))).commit();
  }

  port(listener = "web"): number {
    const found = this.traffic.listeners.find(({ name }) => name === listener);
    if (found === undefined) throw new Error(`no listener ${listener}`);
    return Number(found.address.split(":").at(-1));
  }

  connect(listener = "web"): Promise<Wire> {
    return Wire.connect(this.port(listener));
  }

  failures(code: FailureCode): number {
    return this.values.get(`outrigger_failures_total{code="${code}"}`) ?? 0;
  }

  named(event: string): Record<string, unknown>[] {
    return this.events.filter(({ name }) => name === event).map(({ fields }) => fields);
  }

  /** Waits until nothing runs and nobody is connected. */
  async quiet(): Promise<void> {
    const { traffic } = this;
    await until(() => traffic.active.exchanges === 0 && traffic.active.connections === 0, {
      what: "an end of all exchanges and connections",
    });
  }

  stop(): void {
    this.traffic.stop();
  }

  private thread(): Thread {
    return {
      clock: { now: () => performance.now(), wall: () => Date.now() },
      random: Math.random,
      emit: (name, fields = {}) => void this.events.push({ name, fields }),
      metrics: this.metrics(),
      record: () => true,
    };
  }

  private metrics(): Metrics {
    const series = (name: string, labels: Record<string, string> = {}) => {
      const key = `${name}{${Object.entries(labels)
        .map(([label, value]) => `${label}="${value}"`)
        .join(",")}}`;
      return {
        add: (n: number) => void this.values.set(key, (this.values.get(key) ?? 0) + n),
        set: (n: number) => void this.values.set(key, n),
        observe: () => {},
      };
    };
    return { counter: series, gauge: series, histogram: series };
  }
}

function registryOf(filters: Record<string, FilterDefinition>): FilterRegistry {
  return Object.fromEntries(
    Object.entries(filters).map(([name, definition]) => [name, async () => ({ default: definition })]),
  );
}
