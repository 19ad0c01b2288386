/** The user's filters of one thread: makes them for listeners, remembers which were stopped, forgets old versions. */

import { filtersOf } from "../config/filters-of.ts";
import type { Config, Listener, UserFilter } from "../config/schema.ts";
import type { Exchange, Filter } from "../contracts.ts";
import { UserError } from "../errors.ts";
import type { Engine } from "../http/engine.ts";
import type { HttpExchange } from "../http/exchange.ts";
import { FilterFault } from "../http/filter-fault.ts";
import { TimerWheel } from "../net/wheel.ts";
import type { Hooks } from "./author.ts";
import { BodyGuard } from "./body-guard.ts";
import { soundFilter } from "./definition.ts";
import { AttemptGuard, DoneGuard, Guard, HeadGuard, type Subject } from "./guard.ts";
import { keepFilterCode, loadCounts, loadFilterCode } from "./modules.ts";
import { pulse } from "./pulse.ts";
import { Standing } from "./standing.ts";

/** Budgets are looked at this often; the wheel turns only while a promise of a filter is awaited. */
const budgetTickMs = 10;

/** How long `create` may take. */
const createMs = 10_000;

/** When exchanges that ran by the old version are over, and its filters closed. */
const collectAfterMs = 2_000;

/** Versions, and characters of code, that a thread has loaded before it says that a restart would free memory. */
const mostLoads = 1_000;
const mostBytes = 32 * 1024 * 1024;

export class UserFilters {
  private readonly engine: Engine;
  private readonly wheel: TimerWheel;
  /** Of the configuration that runs, and of the one that is being prepared. */
  private standings: Standing[] = [];
  private drafts: Standing[] = [];
  private collecting: ReturnType<typeof setTimeout> | undefined;
  private loads = 0;
  private saidRestart = false;

  constructor(engine: Engine) {
    this.engine = engine;
    this.wheel = new TimerWheel(engine.thread.clock, budgetTickMs);
    pulse.start();
    pulse.stalled = (version) => this.stopStalled(version);
  }

  /** A configuration is being prepared. */
  begin(): void {
    this.drafts = [];
  }

  /** @throws UserError (exit 1) when its options or `create` fail */
  async make(filter: UserFilter, listener: Pick<Listener, "direction" | "name">): Promise<Filter> {
    const standing = this.standing(filter, listener.name);
    if (filter.isBlamed) return this.blamed(filter, standing);
    const { hooks, config } = await this.create(filter, listener);
    this.countLoads();
    const subject: Subject = {
      hooks,
      config,
      name: filter.name,
      listener: listener.name,
      skips: filter.onError === "skip",
      budgetMs: filter.budgetMs,
      version: filter.number,
    };
    return guarded(new Guard(subject, standing, this.engine, this.wheel));
  }

  /** What was prepared runs now: forgets all versions that it does not use. */
  keep(config: Config): void {
    for (const standing of this.standings) standing.show(false);
    for (const standing of this.drafts) standing.show(true);
    this.standings = this.drafts;
    const isLess = keepFilterCode(new Set(filtersOf(config).map(({ hash }) => hash)));
    if (isLess) this.collectSoon();
  }

  /**
   * Left to itself the collector lets old versions lie for long, as they are small (measured: 50 MB after 1,000 edits
   * instead of some). One whole collection takes about as long as loading a version did.
   */
  private collectSoon(): void {
    this.collecting ??= setTimeout(() => {
      this.collecting = undefined;
      Bun.gc(true);
    }, collectAfterMs);
    this.collecting.unref();
  }

  stop(): void {
    clearTimeout(this.collecting);
    this.wheel.stop();
  }

  /** Where it stands already, when it did not change; else a fresh start. */
  private standing({ name, hash, number, options, onError }: UserFilter, listener: string): Standing {
    const { emit, metrics } = this.engine.thread;
    const identity = `${hash} ${JSON.stringify(options)}`;
    const gauge = metrics.gauge("outrigger_filter_stopped", { filter: name, listener });
    const wanted = { filter: name, listener, onError, version: number, identity, emit, gauge };
    const standing = this.standings.find((one) => one.isOf(wanted)) ?? new Standing(wanted);
    this.drafts.push(standing);
    return standing;
  }

  /** A version that made a thread stand still before: none of its code runs. */
  private blamed({ name, onError }: UserFilter, standing: Standing): Filter {
    standing.stop(Number.NEGATIVE_INFINITY, "because it made the thread stand still before");
    if (onError === "skip") return {};
    return {
      request() {
        throw new FilterFault(`filter ${name} made the thread stand still and is not run until its file changes`);
      },
    };
  }

  private async create(
    filter: UserFilter,
    { direction, name: listener }: Pick<Listener, "direction" | "name">,
  ): Promise<{ hooks: Hooks<unknown>; config: unknown }> {
    pulse.enter(filter.number);
    try {
      const definition = soundFilter(loadFilterCode(filter));
      if ("problem" in definition) throw new TypeError(`the file ${definition.problem}`);
      const config = definition.config.parse(filter.options);
      if (definition.create === undefined) return { hooks: definition, config };
      const context = { ...this.engine.thread, direction, listener };
      const made = definition.create(config, context);
      const hooks = made instanceof Promise ? await inTime(made) : made;
      if (typeof hooks !== "object" || hooks === null) throw new TypeError("create must return the hooks");
      return { hooks, config };
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw new UserError(`filter ${filter.name} (${filter.source}) could not be made: ${reason}`, 1);
    } finally {
      pulse.leave();
    }
  }

  /** The thread turns again: what made it stand still must not do so twice. */
  private stopStalled(version: number): void {
    const now = this.engine.thread.clock.now();
    for (const standing of new Set([...this.standings, ...this.drafts]))
      if (standing.version === version) standing.stop(now, "because it made the thread stand still");
  }

  private countLoads(): void {
    const { metrics, emit } = this.engine.thread;
    const { loads, bytes } = loadCounts();
    metrics.counter("outrigger_filter_loads_total").add(loads - this.loads);
    this.loads = loads;
    if (this.saidRestart || (loads < mostLoads && bytes < mostBytes)) return;
    this.saidRestart = true;
    metrics.gauge("outrigger_filter_restart_needed").set(1);
    emit("filters_need_restart", { loads, bytes });
  }
}

async function inTime<T>(promise: Promise<T>): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => late.reject(new Error(`create took longer than ${createMs} ms`)), createMs);
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Only the hooks it has: a missing one must cost nothing. A filter that must not be passed over always sees requests. */
function guarded(guard: Guard): Filter {
  const { hooks, skips } = guard.subject;
  const filter: Mutable<Filter> = {};
  if (hooks.request !== undefined) filter.request = head(guard, "request");
  else if (!skips) filter.request = (x) => guard.refuseIfStopped(x);
  if (hooks.response !== undefined) filter.response = head(guard, "response");
  if (hooks.requestBody !== undefined) filter.requestBody = body(guard, "requestBody");
  if (hooks.responseBody !== undefined) filter.responseBody = body(guard, "responseBody");
  if (hooks.done !== undefined) {
    const one = new DoneGuard(guard);
    filter.done = (x) => one.run(x as HttpExchange);
  }
  if (hooks.attempt !== undefined) {
    const one = new AttemptGuard(guard);
    filter.attempt = (x, send) => one.run(x as Exchange as HttpExchange, send);
  }
  filter.close = () => closeHooks(hooks);
  return filter;
}

function head(guard: Guard, hook: "request" | "response"): NonNullable<Filter["request"]> {
  const one = new HeadGuard(guard, hook);
  return (x) => one.run(x as HttpExchange);
}

function body(guard: Guard, hook: "requestBody" | "responseBody"): NonNullable<Filter["requestBody"]> {
  const one = new BodyGuard(guard, hook);
  return (chunk, last, x) => one.run(chunk, last, x as HttpExchange);
}

/** A filter that is gone can do no harm any more, not even by throwing. */
function closeHooks(hooks: Hooks<unknown>): void {
  try {
    (hooks as Filter).close?.();
  } catch {
    // Nobody is left to be told about it.
  }
}
