/**
 * CPU per request of each proxy. All contenders run at once on the proxy's core and are loaded in turn, a quarter of a
 * second each, many times a round and the order reversed every time: what disturbs the machine meets them all alike,
 * and what counts is the ratio within a round. The first contender runs twice, as A and B: their ratio shows how much
 * of a difference is noise.
 */
import type { Contender } from "./contenders.ts";
import { PROXY_CORE } from "./layout.ts";
import { coreBusyTicks, cpuNs, type Memory, memory } from "./linux.ts";
import type { Point } from "./points.ts";
import { type Running, start } from "./running.ts";
import { median, quantile } from "./statistics.ts";
import type { Driven, Origin, Session, Suite } from "./suite.ts";

export interface Plan {
  rounds: number;
  /** Time under load of one contender in one round, in slices of `SLICE_MS`. */
  roundMs: number;
  /** Load before the first round, for each contender. */
  warmUpMs: number;
  /** Requests a second of the latency measurement; 0 leaves it out. */
  perSecond: number;
  say(line: string): void;
}

/** One contender in one round: all CPU it used from the round's begin to its end, for all requests it served meanwhile. */
export interface Sample {
  usPerRequest: number;
  requestsPerSecond: number;
  /** Share of one core, 0 to 1, that the proxy used. */
  busy: number;
  /** Share of the same core that others used meanwhile; near 0 on a quiet machine. */
  foreign: number;
}

export interface Latency {
  p50Ms: number;
  p99Ms: number;
}

export interface Column {
  label: string;
  samples: Sample[];
  /** After all rounds of this point. */
  memory: Memory;
  /** Only at the base point. */
  latency?: Latency;
}

export interface PointResult {
  point: Point;
  /** The subject first, last and, where it is compared with another build of itself, nowhere else. */
  columns: Column[];
  /** Straight to the origin, at the same rate. */
  directLatency?: Latency;
  /** Contenders that did not last, and why. */
  lost: string[];
}

export const SLICE_MS = 250;
const LATENCY_MS = 1000;
const LATENCY_PASSES = 3;
const SETTLE_LIMIT_MS = 2000;

/** A contender at one point: its process, or why there is none any more. */
interface Entry {
  label: string;
  contender: Contender;
  /** The run is about this one: without it there is nothing to say. */
  isSubject: boolean;
  proxy: Running | undefined;
  column: Column;
  fault: string | undefined;
}

/** Measures one point: the subject as A and B, and the others between them. */
export async function measurePoint(
  suite: Suite,
  contenders: readonly Contender[],
  point: Point,
  plan: Plan,
): Promise<PointResult> {
  const origin = await suite.startOrigin();
  const run = new PointRun(suite, point, plan, origin, line(contenders));
  try {
    return await run.measure();
  } finally {
    await run.stop();
    origin.stop();
  }
}

/** The subject first and last, so that reversing the order is fair to both. */
function line(contenders: readonly Contender[]): Entry[] {
  const [subject, ...others] = contenders;
  if (!subject) return [];
  const entry = (label: string, contender: Contender): Entry => ({
    label,
    contender,
    isSubject: contender === subject,
    proxy: undefined,
    column: { label, samples: [], memory: { rssKiB: 0, rssAnonKiB: 0 } },
    fault: undefined,
  });
  const between = others.map((other) => entry(other.name, other));
  return [entry(`${subject.name} A`, subject), ...between, entry(`${subject.name} B`, subject)];
}

/** What happened while one proxy was under load. */
interface Slice {
  served: number;
  answered: number;
  /** Between the marks; what the proxy and anyone used of the core meanwhile. */
  wallMs: number;
  cpuMs: number;
  coreMs: number;
}

class PointRun {
  readonly #suite: Suite;
  readonly #point: Point;
  readonly #plan: Plan;
  readonly #origin: Origin;
  readonly #entries: Entry[];

  constructor(suite: Suite, point: Point, plan: Plan, origin: Origin, entries: Entry[]) {
    this.#suite = suite;
    this.#point = point;
    this.#plan = plan;
    this.#origin = origin;
    this.#entries = entries;
  }

  async measure(): Promise<PointResult> {
    for (const entry of this.#entries) await this.#guarded(entry, () => this.#prepare(entry));
    for (let round = 1; round <= this.#plan.rounds; round++) await this.#round(round);
    for (const entry of this.#standing()) entry.column.memory = memory(entry.proxy!.pids());
    const directLatency = this.#point.name === "base" ? await this.#latencies() : undefined;
    return {
      point: this.#point,
      columns: this.#standing().map((entry) => entry.column),
      ...(directLatency && { directLatency }),
      lost: this.#entries.flatMap(({ label, fault }) => (fault === undefined ? [] : [`${label}: ${fault}`])),
    };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#entries.map((entry) => entry.proxy?.stop()));
  }

  #standing(): Entry[] {
    return this.#entries.filter((entry) => entry.fault === undefined);
  }

  /** What goes wrong with the subject ends the run; another contender is left out from here on, and the page says why. */
  async #guarded<T>(entry: Entry, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      if (entry.isSubject) throw error;
      entry.fault = (error as Error).message;
      this.#plan.say(`  left out: ${entry.label}: ${entry.fault}`);
      await entry.proxy?.stop();
      entry.proxy = undefined;
      return undefined;
    }
  }

  async #prepare(entry: Entry): Promise<void> {
    const { places } = this.#origin;
    const switches = { ...this.#suite.switches, ...this.#point.switches };
    entry.proxy = await start(entry.contender, entry.label, places, switches);
    await this.#suite.check(entry.label, entry.proxy.port, this.#point);
    const session = await this.#suite.open(entry.proxy.port, this.#point);
    try {
      await this.#settled();
      await this.#slice(entry, session, this.#plan.warmUpMs);
    } finally {
      session.close();
    }
  }

  /** Slices of all proxies in turn, the order reversed every time. Connections are opened before the clock starts. */
  async #round(round: number): Promise<void> {
    const sessions = new Map<Entry, Session>();
    for (const entry of this.#standing()) {
      const session = await this.#guarded(entry, () => this.#suite.open(entry.proxy!.port, this.#point));
      if (session) sessions.set(entry, session);
    }
    await this.#settled();
    const slices = new Map(this.#standing().map((entry): [Entry, Slice[]] => [entry, []]));
    const before = new Map(this.#standing().map((entry) => [entry, cpuMs(entry)]));
    const order = this.#standing();
    for (let under = 0; under < this.#plan.roundMs; under += SLICE_MS) {
      for (const entry of order) {
        if (entry.fault !== undefined) continue;
        const slice = await this.#guarded(entry, () => this.#slice(entry, sessions.get(entry)!, SLICE_MS));
        if (slice) slices.get(entry)!.push(slice);
      }
      order.reverse();
    }
    for (const entry of this.#standing()) {
      entry.column.samples.push(sample(cpuMs(entry) - before.get(entry)!, slices.get(entry)!));
    }
    for (const session of sessions.values()) session.close();
    const figures = this.#standing().map(
      ({ label, column }) => `${label} ${column.samples.at(-1)!.usPerRequest.toFixed(2)}`,
    );
    this.#plan.say(`  round ${round}: µs CPU per ${this.#suite.unit}: ${figures.join(", ")}`);
  }

  /** Waits until no proxy opens connections to the app any more: one that looks at nothing opens one for each client. */
  async #settled(): Promise<void> {
    let known = -1;
    for (const until = performance.now() + SETTLE_LIMIT_MS; performance.now() < until; await Bun.sleep(20)) {
      const { connections } = await this.#origin.count();
      if (connections === known) return;
      known = connections;
    }
  }

  /** One stretch of load. Throws when an answer was wrong or did not come from the origin. */
  async #slice(entry: Entry, session: Session, ms: number): Promise<Slice> {
    const marks: { wallMs: number; cpuMs: number; coreMs: number }[] = [];
    const before = await this.#origin.count();
    const driven = await session.drive(ms, () =>
      marks.push({ wallMs: performance.now(), cpuMs: cpuMs(entry), coreMs: coreBusyTicks(PROXY_CORE) * 10 }),
    );
    const after = await this.#origin.count();
    this.#mustAgree(driven, {
      asked: after.requests - before.requests - 1,
      opened: after.connections - before.connections,
    });
    const [from, to] = [marks[0]!, marks[1]!];
    return {
      served: driven.served,
      answered: driven.answered,
      wallMs: to.wallMs - from.wallMs,
      cpuMs: to.cpuMs - from.cpuMs,
      coreMs: to.coreMs - from.coreMs,
    };
  }

  /** The load's count, the origin's count and keep-alive to the origin must fit together. */
  #mustAgree({ served, failed, firstFailure }: Driven, origin: { asked: number; opened: number }): void {
    const { name, connections } = this.#point;
    const { unit } = this.#suite;
    const first = firstFailure === undefined ? "" : `, the first with: ${firstFailure}`;
    if (failed > 0) throw new Error(`${failed} of ${served} ${unit}s failed at ${name}${first}`);
    if (served === 0) throw new Error(`no ${unit} was answered at ${name}`);
    if (origin.asked !== served) {
      throw new Error(`${served} answers at ${name}, but the origin counted ${origin.asked}`);
    }
    const most = connections * 2 + 2;
    if (origin.opened > most)
      throw new Error(`opened ${origin.opened} connections to the origin at ${name}, not ${most}`);
  }

  /** Latencies at a fixed rate, and those of the way past all proxies: medians of `LATENCY_PASSES` passes over all. */
  async #latencies(): Promise<Latency | undefined> {
    if (!this.#suite.latencies || this.#plan.perSecond === 0) return undefined;
    const direct: Latency[] = [];
    const passes = new Map(this.#standing().map((entry): [Entry, Latency[]] => [entry, []]));
    for (let pass = 0; pass < LATENCY_PASSES; pass++) {
      direct.push(await this.#latency(this.#origin.port, true));
      for (const [entry, seen] of passes) {
        const latency = await this.#guarded(entry, () => this.#latency(entry.proxy!.port, false));
        if (latency) seen.push(latency);
        else passes.delete(entry);
      }
    }
    for (const [entry, seen] of passes) entry.column.latency = middle(seen);
    return middle(direct);
  }

  async #latency(port: number, direct: boolean): Promise<Latency> {
    const rate = { perSecond: this.#plan.perSecond, ms: LATENCY_MS, direct };
    const latenciesMs = await this.#suite.latencies!(port, this.#point, rate);
    return { p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99) };
  }
}

function middle(all: readonly Latency[]): Latency {
  return { p50Ms: median(all.map((one) => one.p50Ms)), p99Ms: median(all.map((one) => one.p99Ms)) };
}

function cpuMs({ proxy }: Entry): number {
  return Number(proxy!.pids().reduce((sum, pid) => sum + cpuNs(pid), 0n)) / 1e6;
}

function sample(usedMs: number, slices: readonly Slice[]): Sample {
  const sum = (part: keyof Slice): number => slices.reduce((total, slice) => total + slice[part], 0);
  return {
    usPerRequest: (usedMs * 1000) / sum("served"),
    requestsPerSecond: (sum("answered") / sum("wallMs")) * 1000,
    busy: sum("cpuMs") / sum("wallMs"),
    foreign: Math.max(0, (sum("coreMs") - sum("cpuMs")) / sum("wallMs")),
  };
}
