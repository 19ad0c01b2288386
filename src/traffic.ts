/**
 * All listeners of one thread, and their change as one transaction:
 *
 *   prepare(config)  compiles plans and binds new addresses; nothing that runs notices
 *   commit()         swaps every plan in one tick, closes what is gone
 *   abort()          gives back what prepare took
 */
import type { Config, Listener as ListenerConfig } from "./config/schema.ts";
import type { Filter, Thread } from "./contracts.ts";
import { Admission } from "./http/admission.ts";
import { compileListener, type FilterRegistry } from "./http/compile.ts";
import { ConnectionLimit } from "./http/connection-limit.ts";
import { Engine } from "./http/engine.ts";
import type { ListenerPlan } from "./http/plan.ts";
import type { Pool } from "./http/pool.ts";
import { type OwnAnswer, type OwnFailure, type OwnRequest, request } from "./http/request.ts";
import type { PlanHolder } from "./http/session.ts";
import { type BoundAddress, bindFault, boundText, listenerKey } from "./listening.ts";
import type { MetricsSource } from "./metrics.ts";
import { CertificateExpiry, type Expiring } from "./net/certificate-expiry.ts";
import type { Connection } from "./net/connection.ts";
import { Listener } from "./net/listen.ts";
import { filters as builtInFilters } from "./registry.gen.ts";
import type { LoopLagOf, TrafficPart } from "./traffic-part.ts";
import type { UserFilters } from "./user-filters/runtime.ts";

export interface TrafficOptions {
  /** Connections at once, over all listeners. */
  readonly maxConnections: number;
  /** Resident bytes above which new requests are refused; Infinity for no limit. */
  readonly memoryLimitBytes: number;
  /** Resident bytes now. */
  readonly residentBytes?: () => number;
  readonly registry?: FilterRegistry;
  /** Set where several threads share the work. */
  readonly worker?: TrafficWorkerOptions;
}

/** What one of several threads that carry traffic shares with the others. */
export interface TrafficWorkerOptions {
  /** Counted from 1; part of every request id. */
  readonly number: number;
  /** Made by `ConnectionLimit.allocate`. */
  readonly connections: SharedArrayBuffer;
  /** Binds the address that all of them bind. */
  open(listener: ListenerConfig, accept: (connection: Connection) => void): Listener;
}

export interface Prepared {
  commit(): void;
  abort(): void;
}

interface Bound {
  readonly key: string;
  readonly listener: Listener;
  readonly holder: PlanHolder;
  readonly filters: readonly Filter[];
  readonly certificates: readonly Expiring[];
}

interface Draft extends Bound {
  readonly plan: ListenerPlan;
  /** Bound by this preparation, not taken over. */
  readonly fresh: boolean;
}

/** Filters of replaced plans. */
interface Retired {
  /** What running exchanges, or connections of a listener that is gone, may still go by. */
  readonly plans: readonly ListenerPlan[];
  readonly filters: readonly Filter[];
}

const housekeepingMs = 1000;

export class Traffic implements TrafficPart {
  readonly engine: Engine;
  private readonly limit: ConnectionLimit;
  private readonly admission: Admission;
  private readonly registry: FilterRegistry;
  private readonly options: TrafficOptions;
  private readonly expiry: CertificateExpiry;
  private readonly housekeeping: ReturnType<typeof setInterval>;
  private userFilters: UserFilters | undefined;
  private bound: Bound[] = [];
  /** Closed when no exchange can use them any more. */
  private retired: Retired[] = [];

  constructor(thread: Thread, options: TrafficOptions) {
    this.engine = new Engine(thread, options.worker?.number);
    this.options = options;
    this.registry = options.registry ?? builtInFilters;
    this.limit = new ConnectionLimit(options.maxConnections, options.worker?.connections);
    this.admission = new Admission(this.engine, this.limit);
    this.expiry = new CertificateExpiry(thread);
    this.housekeeping = setInterval(() => this.keepHouse(), housekeepingMs);
  }

  get listeners(): TrafficPart["listeners"] {
    return this.bound.map(({ holder, listener }) => ({
      name: holder.plan.name,
      direction: holder.plan.direction,
      address: addressOf(listener),
    }));
  }

  get active(): { connections: number; exchanges: number } {
    return { connections: this.admission.sessions.size, exchanges: this.engine.activeExchanges };
  }

  /** @throws UserError: exit 3 for an address that cannot be bound, 1 for a filter that cannot be made; nothing has changed then */
  async prepare(config: Config): Promise<Prepared> {
    const drafts: Draft[] = [];
    const abort = () => this.abandon(drafts);
    try {
      if (usesFilters(config)) await this.needUserFilters();
      for (const listener of [...config.inbound, ...config.outbound]) drafts.push(await this.draft(listener, config));
    } catch (error) {
      abort();
      throw error;
    }
    const commit = () => {
      this.commit(drafts, config);
      this.userFilters?.keep(config);
    };
    return { commit, abort };
  }

  /** What makes filters in TypeScript is loaded only when there are some. */
  private async needUserFilters(): Promise<void> {
    const { UserFilters } = await import("./user-filters/runtime.ts");
    this.userFilters ??= new UserFilters(this.engine);
    this.userFilters.begin();
  }

  private async draft(config: ListenerConfig, whole: Config): Promise<Draft> {
    const { plan, filters, certificates } = await compileListener(
      this.engine,
      config,
      whole.limits,
      this.registry,
      this.userFilters,
    );
    const key = listenerKey(config);
    const known = this.bound.find((bound) => bound.key === key);
    if (known !== undefined)
      return { key, listener: known.listener, holder: known.holder, plan, filters, certificates, fresh: false };
    const holder: PlanHolder = { plan };
    try {
      const listener = this.open(config, (connection) => this.admission.admit(connection, holder));
      return { key, listener, holder, plan, filters, certificates, fresh: true };
    } catch (error) {
      for (const filter of filters) filter.close?.();
      throw bindFault(
        whole.file,
        config,
        error,
        this.bound.map(({ listener: ours }) => placeOf(ours)),
      );
    }
  }

  private open(config: ListenerConfig, accept: (connection: Connection) => void): Listener {
    const { worker } = this.options;
    return worker === undefined ? Listener.open(config.listen, accept) : worker.open(config, accept);
  }

  private abandon(drafts: readonly Draft[]): void {
    for (const { filters, fresh, listener, plan } of drafts) {
      if (fresh) this.unbind(listener, plan);
      closeAll(filters);
    }
  }

  /** Closes a listener that never came to be, and who has connected to it meanwhile. */
  private unbind(listener: Listener, plan: ListenerPlan): void {
    listener.close();
    for (const session of [...this.admission.sessions]) if (session.plans.includes(plan)) session.cut();
  }

  private commit(drafts: readonly Draft[], { limits: { headBytes, headFields }, health }: Config): void {
    const { emit } = this.engine.thread;
    this.engine.responseLimits = { headBytes, headFields };
    this.engine.ownPorts = new Set([health.port, ...drafts.map(({ listener }) => listener.port)]);
    const capturing = drafts.filter(({ plan }) => plan.capture !== undefined);
    this.engine.capturePorts = new Set(capturing.map(({ listener }) => listener.port));
    for (const { listener, holder, filters } of this.bound) {
      const plans = [holder.plan];
      if (!drafts.some((draft) => draft.holder === holder)) {
        listener.close();
        holder.plan = { ...holder.plan, retired: true };
        plans.push(holder.plan);
        emit("listener_closed", { listener: holder.plan.name });
      }
      if (filters.length > 0) this.retired.push({ plans, filters });
    }
    for (const draft of drafts) {
      draft.holder.plan = draft.plan;
      if (draft.fresh)
        emit("listener_bound", {
          listener: draft.plan.name,
          direction: draft.plan.direction,
          address: addressOf(draft.listener),
        });
    }
    this.bound = drafts.map(({ plan: _, fresh: __, ...bound }) => bound);
    this.engine.keepPools(new Set(drafts.flatMap(({ plan }) => poolsOf(plan))));
    this.expiry.watch(drafts.flatMap(({ certificates }) => certificates));
  }

  private keepHouse(): void {
    if (this.options.memoryLimitBytes !== Number.POSITIVE_INFINITY) {
      const resident = (this.options.residentBytes ?? residentBytes)();
      this.engine.overloaded = resident > this.options.memoryLimitBytes;
    }
    if (this.retired.length > 0) this.closeUnused();
    this.expiry.look();
  }

  private closeUnused(): void {
    const used = new Set<ListenerPlan>();
    for (const session of this.admission.sessions) for (const plan of session.plans) used.add(plan);
    const kept = this.retired.filter(({ plans }) => plans.some((plan) => used.has(plan)));
    for (const retired of this.retired) if (!kept.includes(retired)) closeAll(retired.filters);
    this.retired = kept;
  }

  /** None: all it counts is in this thread's region. */
  metricsSources(): readonly MetricsSource[] {
    return [];
  }

  takeLoopLags(): readonly LoopLagOf[] {
    return [];
  }

  request(wanted: OwnRequest): Promise<OwnAnswer | OwnFailure> {
    return request(this.engine, wanted);
  }

  announce(): void {
    this.engine.announcing = true;
  }

  recant(): void {
    this.engine.announcing = false;
  }

  async drain(deadlineMs: number): Promise<{ cut: number }> {
    const { clock } = this.engine.thread;
    const end = clock.now() + deadlineMs;
    this.announce();
    while (this.busySessions > 0 && clock.now() < end) await Bun.sleep(Math.min(20, Math.max(end - clock.now(), 1)));
    return { cut: this.busySessions };
  }

  private get busySessions(): number {
    let count = 0;
    for (const session of this.admission.sessions) if (session.busy) count++;
    return count;
  }

  stop(): void {
    clearInterval(this.housekeeping);
    for (const { listener } of this.bound) listener.close();
    let cut = 0;
    for (const session of [...this.admission.sessions]) if (session.cut()) cut++;
    if (cut > 0) this.engine.thread.emit("exchanges_cut", { count: cut });
    for (const { filters } of [...this.bound, ...this.retired]) closeAll(filters);
    this.bound = [];
    this.retired = [];
    this.userFilters?.stop();
    this.engine.stop();
  }
}

function poolsOf({ routes, stream }: ListenerPlan): Pool[] {
  const forRequests = routes.flatMap(({ action }) => (action.kind === "forward" ? action.places : []));
  return [...forRequests, ...(stream?.routes.flatMap(({ pool }) => pool ?? []) ?? [])];
}

/** True when a filter in TypeScript stands anywhere. */
export function usesFilters({ inbound, outbound }: Config): boolean {
  return [...inbound, ...outbound].some((listener) =>
    [listener, ...listener.routes].some(({ filters }) => filters.length > 0),
  );
}

function closeAll(filters: readonly Filter[]): void {
  for (const filter of filters) filter.close?.();
}

function placeOf(listener: Listener): BoundAddress {
  return { listen: listener.address, port: listener.port };
}

function addressOf(listener: Listener): string {
  return boundText(placeOf(listener));
}

/** Zero where the system does not tell: it needs a descriptor to look, and there may be none left. */
export function residentBytes(): number {
  try {
    return process.memoryUsage.rss();
  } catch {
    return 0;
  }
}
