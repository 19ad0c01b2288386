/** The traffic engine inside the test's own process, with one listener, and a record of all it reports. */
import type { Config, Listener, Match, Route, RouteAction, UserFilter } from "../../src/config/schema.ts";
import type { Field, FilterDefinition, Thread } from "../../src/contracts.ts";
import type { FilterRegistry } from "../../src/http/compile.ts";
import { Traffic } from "../../src/traffic.ts";

export interface Reported {
  readonly event: string;
  readonly fields: Record<string, unknown>;
}

/** A thread that keeps what it is told. */
export class RecordingThread implements Thread {
  readonly clock = { now: () => performance.now(), wall: () => Date.now() };
  readonly random = Math.random;
  readonly events: Reported[] = [];
  readonly lines: string[] = [];
  /** Sums by metric name and labels: `outrigger_failures_total{code=bad_host}`. */
  readonly counted = new Map<string, number>();

  readonly emit = (event: string, fields: Record<string, unknown> = {}): void => {
    this.events.push({ event, fields });
  };

  readonly record = (_stream: string, line: string): boolean => {
    this.lines.push(line);
    return true;
  };

  readonly metrics = {
    counter: (name: string, labels?: Record<string, string>) => this.series(name, labels),
    gauge: (name: string, labels?: Record<string, string>) => this.series(name, labels),
    histogram: (name: string, labels?: Record<string, string>) => {
      const { add } = this.series(name, labels);
      return { observe: () => add(1) };
    },
  };

  /** The codes of failed exchanges so far, in order. */
  get codes(): string[] {
    return this.events.filter(({ event }) => event === "request_failed").map(({ fields }) => String(fields.code));
  }

  private series(name: string, labels: Record<string, string> = {}) {
    const list = Object.entries(labels).map(([label, value]) => `${label}=${value}`);
    const key = `${name}{${list.join(",")}}`;
    const { counted } = this;
    counted.set(key, 0);
    return {
      add: (n: number) => void counted.set(key, (counted.get(key) ?? 0) + n),
      set: (value: number) => void counted.set(key, value),
    };
  }
}

export const defaultTimeouts = {
  headMs: 10_000,
  keepAliveMs: 65_000,
  connectMs: 1000,
  startMs: 0,
  responseMs: 0,
  requestMs: 0,
  idleMs: 60_000,
  tunnelMs: 3_600_000,
};

/** Where requests go by default, or what answers them. */
export function forwardTo(port: number, host = "127.0.0.1"): RouteAction {
  const authority = port === 80 ? host : `${host}:${port}`;
  return { kind: "forward", to: { scheme: "http", host, port, authority, text: `http://${host}:${port}` } };
}

export function respond(status: number, text?: string, headers: readonly Field[] = []): RouteAction {
  return { kind: "respond", respond: { status, headers, body: text === undefined ? undefined : { text } } };
}

const everything: Match = { path: undefined, methods: undefined, headers: [] };

export interface RouteOptions {
  name?: string;
  match?: Partial<Match>;
  action: RouteAction;
  maxBodyBytes?: number;
  timeouts?: Partial<typeof defaultTimeouts>;
  policies?: Record<string, unknown>;
  filters?: readonly UserFilter[];
}

function routeOf(given: RouteOptions): Route {
  return {
    name: given.name ?? "default",
    match: { ...everything, ...given.match },
    action: given.action,
    timeouts: { ...defaultTimeouts, ...given.timeouts },
    maxBodyBytes: given.maxBodyBytes ?? 0,
    upgrade: true,
    policies: given.policies ?? {},
    filters: given.filters ?? [],
  };
}

export interface ListenerOptions extends Partial<Omit<Listener, "routes" | "timeouts" | "listen">> {
  port?: number;
  /** First match wins; or one action for everything. */
  routes: readonly RouteOptions[] | RouteAction;
  timeouts?: Partial<typeof defaultTimeouts>;
}

/** A listener on loopback; policies and limits of the listener hold for routes that have none of their own. */
export function listenerOf(given: ListenerOptions): Listener {
  const { port = 0, routes, timeouts, maxBodyBytes = 0, direction = "inbound", name = "web" } = given;
  const { policies = {}, filters = [] } = given;
  const list: readonly RouteOptions[] = "kind" in routes ? [{ action: routes }] : routes;
  return {
    name,
    direction,
    listen: { host: "127.0.0.1", port, text: `127.0.0.1:${port}` },
    ...(given.arrival && { arrival: given.arrival }),
    trust: given.trust ?? [],
    timeouts: { ...defaultTimeouts, ...timeouts },
    maxBodyBytes,
    upgrade: true,
    policies,
    filters,
    routes: list.map((route) => routeOf({ policies, filters, maxBodyBytes, ...(timeouts && { timeouts }), ...route })),
  };
}

export function configOf(listeners: readonly Listener[], limits: Partial<Config["limits"]> = {}): Config {
  return {
    file: "outrigger.yaml",
    state: undefined,
    health: { host: "127.0.0.1", port: 0, text: "127.0.0.1:0" },
    admin: "off",
    shutdown: { graceMs: 25_000 },
    concurrency: 1,
    limits: { connections: undefined, headBytes: 65_536, headFields: 200, memory: { share: 0.7 }, ...limits },
    logs: [],
    schedules: [],
    inbound: listeners.filter(({ direction }) => direction === "inbound"),
    outbound: listeners.filter(({ direction }) => direction === "outbound"),
  };
}

/** Filters of a test, as the generated registry lists those of the house. */
export function registryOf(...definitions: readonly FilterDefinition[]): FilterRegistry {
  return Object.fromEntries(definitions.map((definition) => [definition.name, async () => ({ default: definition })]));
}

export interface EngineOptions {
  limits?: Partial<Config["limits"]>;
  registry?: FilterRegistry;
  maxConnections?: number;
  memoryLimitBytes?: number;
  residentBytes?: () => number;
}

/** A running engine. */
export class TestEngine {
  readonly thread = new RecordingThread();
  readonly traffic: Traffic;
  private readonly options: EngineOptions;

  private constructor(options: EngineOptions) {
    this.options = options;
    this.traffic = new Traffic(this.thread, {
      maxConnections: options.maxConnections ?? 10_000,
      memoryLimitBytes: options.memoryLimitBytes ?? Number.POSITIVE_INFINITY,
      ...(options.residentBytes && { residentBytes: options.residentBytes }),
      registry: options.registry ?? {},
    });
  }

  static async start(
    listeners: ListenerOptions | readonly ListenerOptions[],
    options: EngineOptions = {},
  ): Promise<TestEngine> {
    const engine = new TestEngine(options);
    await engine.apply(listeners);
    return engine;
  }

  /** Replaces the configuration, as a reload does. */
  async apply(listeners: ListenerOptions | readonly ListenerOptions[]): Promise<void> {
    const list = "routes" in listeners ? [listeners] : listeners;
    (await this.traffic.prepare(configOf(list.map(listenerOf), this.options.limits))).commit();
  }

  /** The port of the first listener, or of the one with that name. */
  port(name?: string): number {
    const found = this.traffic.listeners.find((listener) => name === undefined || listener.name === name);
    return Number(found?.address.split(":").at(-1));
  }

  stop(): void {
    this.traffic.stop();
  }
}
