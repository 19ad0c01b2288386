/**
 * CPU per request of each proxy. All contenders run at once on the proxy's core and are loaded in turn, a quarter of a
 * second each, many times a round and the order reversed every time: what disturbs the machine meets them all alike,
 * and what counts is the ratio within a round. The first contender runs twice, as A and B: their ratio shows how much
 * of a difference is noise.
 */
import type { Subprocess } from "bun";
import { checkAnswers, originCount } from "./check.ts";
import { type Contender, LOAD_CORE, PROXY_CORE, ROOT, type Running, start } from "./contenders.ts";
import { coreBusyTicks, cpuNs, type Memory, memory, pinned } from "./linux.ts";
import { closedLoop, fixedRate, Load } from "./load.ts";
import type { Point } from "./points.ts";
import { median, quantile } from "./statistics.ts";

export interface Plan {
  rounds: number;
  /** Time under load of one contender in one round, in slices of `SLICE_MS`. */
  roundMs: number;
  /** Load before the first round, for each contender. */
  warmUpMs: number;
  /** Requests a second of the latency measurement. */
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
  columns: Column[];
  /** Straight to the origin, at the same rate. */
  directLatency?: Latency;
}

export interface Origin {
  port: number;
  stop(): void;
}

const SETTLE_MS = 50;
export const SLICE_MS = 250;
const LATENCY_MS = 2000;
const LATENCY_PASSES = 3;

export async function startOrigin(): Promise<Origin> {
  const child: Subprocess<"ignore", "pipe", "inherit"> = pinned(LOAD_CORE, LOAD_CORE, () =>
    Bun.spawn([process.execPath, `${ROOT}/bench/origin.ts`], { stdin: "ignore", stdout: "pipe", stderr: "inherit" }),
  );
  const first = await child.stdout.getReader().read();
  return { port: Number(Buffer.from(first.value ?? []).toString()), stop: () => child.kill() };
}

/** Measures one point: the subject as A and B, and the others between them. */
export async function measurePoint(contenders: readonly Contender[], point: Point, plan: Plan): Promise<PointResult> {
  const origin = await startOrigin();
  const running: Running[] = [];
  try {
    for (const [label, contender] of line(contenders)) {
      running.push(await start(contender, label, { origin: origin.port, sameFields: point.sameFields }));
    }
    for (const proxy of running) await prepare(proxy, point, plan, origin);
    const columns = await rounds(running, point, plan, origin);
    return point.name === "base" ? await withLatency(point, columns, running, origin, plan) : { point, columns };
  } finally {
    await Promise.all(running.map((proxy) => proxy.stop()));
    origin.stop();
  }
}

/** The subject first and last, so that reversing the order is fair to both. */
function line(contenders: readonly Contender[]): [label: string, contender: Contender][] {
  const [subject, ...others] = contenders;
  if (!subject) return [];
  const between = others.map((other): [string, Contender] => [other.name, other]);
  return [[`${subject.name} A`, subject], ...between, [`${subject.name} B`, subject]];
}

async function prepare(proxy: Running, point: Point, plan: Plan, origin: Origin): Promise<void> {
  await checkAnswers(proxy.label, proxy.port, point);
  await loadSlice(proxy, point, plan.warmUpMs, origin);
}

async function rounds(running: readonly Running[], point: Point, plan: Plan, origin: Origin): Promise<Column[]> {
  const columns = running.map((proxy): Column => ({ label: proxy.label, samples: [], memory: memory(proxy.pids()) }));
  for (let round = 0; round < plan.rounds; round++) {
    const samples = await measureRound(running, point, plan, origin);
    for (const [i, column] of columns.entries()) column.samples.push(samples[i]!);
    const figures = columns.map((column) => `${column.label} ${column.samples[round]!.usPerRequest.toFixed(2)}`);
    plan.say(`  round ${round + 1}: µs CPU per request: ${figures.join(", ")}`);
  }
  for (const [i, column] of columns.entries()) column.memory = memory(running[i]!.pids());
  return columns;
}

/** Slices of all proxies in turn, the order reversed every time. */
async function measureRound(running: readonly Running[], point: Point, plan: Plan, origin: Origin): Promise<Sample[]> {
  const slices: Slice[][] = running.map(() => []);
  const cpuBefore = running.map(cpuMs);
  const order = [...running.keys()];
  for (let under = 0; under < plan.roundMs; under += SLICE_MS) {
    for (const i of order) slices[i]!.push(await loadSlice(running[i]!, point, SLICE_MS, origin));
    order.reverse();
  }
  return running.map((proxy, i) => sample(cpuMs(proxy) - cpuBefore[i]!, slices[i]!));
}

function cpuMs(proxy: Running): number {
  return Number(proxy.pids().reduce((sum, pid) => sum + cpuNs(pid), 0n)) / 1e6;
}

/** What happened while one proxy was under load. */
interface Slice {
  /** All answers, those while the load settled included. */
  served: number;
  /** Answers of the `wallMs` between the marks, and what the proxy and anyone used of the core meanwhile. */
  answered: number;
  wallMs: number;
  cpuMs: number;
  coreMs: number;
}

/** One closed loop through the proxy. Throws when an answer was wrong or did not come from the origin. */
async function loadSlice(proxy: Running, point: Point, ms: number, origin: Origin): Promise<Slice> {
  const marks: { wallMs: number; cpuMs: number; coreMs: number }[] = [];
  const before = await originCount(origin.port);
  const load = await Load.connect({ port: proxy.port, connections: point.connections, requests: point.requests() });
  const answered = await closedLoop(load, SETTLE_MS, ms, () =>
    marks.push({ wallMs: performance.now(), cpuMs: cpuMs(proxy), coreMs: coreBusyTicks(PROXY_CORE) * 10 }),
  ).catch(async (cause: Error) => {
    const asked = (await originCount(origin.port)).requests - before.requests - 1;
    throw new Error(
      `${proxy.label} at ${point.name}: ${cause.message}; ${load.answered} came, the origin was asked ${asked} times`,
    );
  });
  load.close();
  const after = await originCount(origin.port);
  mustAgree(proxy.label, load, point, {
    asked: after.requests - before.requests - 1,
    opened: after.connections - before.connections,
  });
  const [from, to] = [marks[0]!, marks[1]!];
  return {
    served: load.answered,
    answered,
    wallMs: to.wallMs - from.wallMs,
    cpuMs: to.cpuMs - from.cpuMs,
    coreMs: to.coreMs - from.coreMs,
  };
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

/** The load's count, the origin's count and keep-alive to the origin must fit together. */
function mustAgree(label: string, load: Load, point: Point, origin: { asked: number; opened: number }): void {
  if (load.failed > 0) throw new Error(`${label}: ${load.failed} of ${load.answered} requests failed at ${point.name}`);
  if (origin.asked !== load.answered) {
    throw new Error(`${label}: ${load.answered} answers, but the origin was asked ${origin.asked} times`);
  }
  if (origin.opened > point.connections * 2 + 2) {
    throw new Error(`${label}: opened ${origin.opened} connections to the origin for ${point.connections} clients`);
  }
}

/** Adds latencies at a fixed rate, to the contenders and to the way past them: medians of `LATENCY_PASSES` passes over all. */
async function withLatency(
  point: Point,
  columns: Column[],
  running: readonly Running[],
  origin: Origin,
  plan: Plan,
): Promise<PointResult> {
  const ports = [origin.port, ...running.map((proxy) => proxy.port)];
  const passes: Latency[][] = ports.map(() => []);
  for (let pass = 0; pass < LATENCY_PASSES; pass++) {
    for (const [i, port] of ports.entries()) passes[i]!.push(await latency(port, point, plan));
  }
  const [directLatency, ...latencies] = passes.map((all) => ({
    p50Ms: median(all.map((one) => one.p50Ms)),
    p99Ms: median(all.map((one) => one.p99Ms)),
  }));
  return {
    point,
    columns: columns.map((column, i) => ({ ...column, latency: latencies[i]! })),
    directLatency: directLatency!,
  };
}

async function latency(port: number, point: Point, plan: Plan): Promise<Latency> {
  const load = await Load.connect({ port, connections: point.connections, requests: point.requests() });
  const latenciesMs = await fixedRate(load, plan.perSecond, LATENCY_MS);
  load.close();
  if (load.failed > 0) throw new Error(`${load.failed} requests failed at ${plan.perSecond} a second`);
  return { p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99) };
}
