/**
 * Whether requests are answered later while logs flow. Three ways to have both on one core: the sidecar proxies and
 * collects (twice, as A and B), or it proxies and rsyslog collects the same lines. They take turns, a run each, the
 * order reversed every time; what counts is the ratio of their 99th percentiles within a turn.
 */
import { join } from "node:path";
import { fixedRate, Load } from "../load.ts";
import { conditions } from "../machine.ts";
import { startOrigin } from "../origins.ts";
import { table } from "../page.ts";
import { connects, freePort } from "../running.ts";
import { median, quantile, ratios } from "../statistics.ts";
import { Collector } from "./collector.ts";
import type { LogContender } from "./contenders.ts";
import { type Flow, mustHold, removeFlow, write } from "./flow.ts";
import { LINE_BYTES, plain, writeLines } from "./lines.ts";
import { logConfigs } from "./report.ts";

export interface LatencyPlan {
  runs: number;
  /** Of one run. */
  seconds: number;
  requestsPerSecond: number;
  logBytesPerSecond: number;
  workspace: string;
  kind: string;
  say(line: string): void;
}

/** One run: latencies of its requests, and what of the core all of it used. */
interface Run {
  p50Ms: number;
  p99Ms: number;
  /** Of one core, sidecar and collector together. */
  share: number;
}

/** A sidecar that proxies, and whoever collects beside or in it. */
interface Stack {
  label: string;
  port: number;
  collector: Collector;
  processes: Collector[];
  runs: Run[];
  /** Bytes written for it so far. */
  written: number;
}

const CONNECTIONS = 32;
const REQUEST = [Buffer.from("GET / HTTP/1.1\r\nHost: bench.local\r\n\r\n")];
const START_LIMIT_MS = 15_000;
const SOURCE_LINES = 100_000;

/** @param rsyslog the collector beside the sidecar */
export async function measureLatency(
  outrigger: LogContender,
  rsyslog: LogContender,
  plan: LatencyPlan,
): Promise<string> {
  const origin = await startOrigin();
  const stacks: Stack[] = [];
  try {
    const source = writeLines(plain, join(plan.workspace, "flow"), 0, SOURCE_LINES);
    const flow: Flow = { source, bytesPerSecond: plan.logBytesPerSecond, seconds: plan.seconds };
    for (const label of ["outrigger A", rsyslog.name, "outrigger B"]) {
      const beside = label === rsyslog.name ? rsyslog : undefined;
      stacks.push(await startStack(label, outrigger, beside, origin.port, plan));
    }
    for (const stack of stacks) await run(stack, "warm-up", flow, plan);
    const order = [...stacks];
    for (let n = 1; n <= plan.runs; n++) {
      for (const stack of order) stack.runs.push(await run(stack, `run-${n}`, flow, plan));
      order.reverse();
      plan.say(
        `  run ${n}: p99 ms: ${stacks.map(({ label, runs }) => `${label} ${runs.at(-1)!.p99Ms.toFixed(2)}`).join(", ")}`,
      );
    }
    return section([outrigger, rsyslog], stacks, plan);
  } finally {
    for (const { processes } of stacks) {
      for (const one of processes) await one.stop();
      for (const one of processes) one.remove();
    }
    origin.stop();
  }
}

async function startStack(
  label: string,
  outrigger: LogContender,
  beside: LogContender | undefined,
  origin: number,
  { workspace }: LatencyPlan,
): Promise<Stack> {
  const port = freePort();
  const proxy = { proxy: 1, collect: beside ? 0 : 1, raw: 1 };
  const sidecar = await Collector.start(outrigger, beside ? "beside rsyslog" : label, {
    workspace,
    places: { port, origin },
    switches: proxy,
  });
  const collector = beside ? await Collector.start(beside, label, { workspace, switches: { raw: 1 } }) : sidecar;
  const processes = beside ? [sidecar, collector] : [sidecar];
  for (const until = performance.now() + START_LIMIT_MS; !(await connects(port)); await Bun.sleep(20)) {
    sidecar.pids();
    if (performance.now() > until) throw new Error(`${label} did not start: ${sidecar.said()}`);
  }
  return { label, port, collector, processes, runs: [], written: 0 };
}

/** Requests at a fixed rate while lines flow at theirs; all of both must arrive. */
async function run(stack: Stack, name: string, flow: Flow, plan: LatencyPlan): Promise<Run> {
  const load = await Load.connect({ port: stack.port, connections: CONNECTIONS, requests: REQUEST });
  const cpuMs = () => stack.processes.reduce((sum, one) => sum + one.cpuMs(), 0);
  try {
    const before = cpuMs();
    const [latenciesMs, written] = await Promise.all([
      fixedRate(load, plan.requestsPerSecond, plan.seconds * 1000),
      write(stack.collector, name, flow),
    ]);
    if (load.failed > 0) throw new Error(`${stack.label}: ${load.failed} requests failed: ${load.firstFailure}`);
    stack.written += written;
    await mustHold(stack.collector, stack.written);
    const share = (cpuMs() - before) / (plan.seconds * 1000);
    return { p50Ms: quantile(latenciesMs, 0.5), p99Ms: quantile(latenciesMs, 0.99), share };
  } finally {
    load.close();
    removeFlow(stack.collector, name);
  }
}

/** Done when 4: of their p99 to that beside rsyslog. */
const BAR = 1;

function section(contenders: readonly LogContender[], stacks: readonly Stack[], plan: LatencyPlan): string {
  const p99 = ({ runs }: Stack) => runs.map((run) => run.p99Ms);
  const [a, rsyslog, b] = [stacks[0]!, stacks[1]!, stacks[2]!];
  const ours = p99(a).map((first, i) => (first + p99(b)[i]!) / 2);
  const spread = (values: readonly number[]) =>
    `**${median(values).toFixed(2)}** (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})`;
  const ratio = ratios(ours, p99(rsyslog));
  const rows = stacks.map(({ label, runs, processes }) => [
    label === rsyslog.label ? `outrigger proxies, ${label} collects` : `${label} proxies and collects`,
    median(runs.map((run) => run.p50Ms)).toFixed(2),
    median(runs.map((run) => run.p99Ms)).toFixed(2),
    `${(median(runs.map((run) => run.share)) * 100).toFixed(0)} %`,
    processes.reduce((sum, one) => sum + one.peakRssMiB(), 0).toFixed(1),
  ]);
  const all = Array.from({ length: plan.runs }, (_, i) => [
    String(i + 1),
    ...stacks.map((stack) => p99(stack)[i]!.toFixed(2)),
  ]);
  const verdict = median(ratio) <= BAR ? "within the bar" : "over the bar";
  return [
    ...conditions().map((fact) => `- ${fact}`),
    `- ${logConfigs(contenders)}`,
    `- ${plan.requestsPerSecond} requests a second fall due on ${CONNECTIONS} connections while ${plan.logBytesPerSecond / 1e6} MB of lines of ${LINE_BYTES} bytes are appended to a file each second and collected to another. Sidecar and collector share core 0; load, app and the writer core 1. ${plan.runs} runs of ${plan.seconds} s each in turn, the order reversed every time; no request may fail and every byte must arrive.`,
    "",
    `The p99 with the sidecar collecting is **${median(ratio).toFixed(2)} ×** that with rsyslog collecting (bar ≤ ${BAR}: ${verdict}): ${spread(ratio)}; B ÷ A (noise) ${spread(ratios(p99(b), p99(a)))}.`,
    "",
    table(["", "p50 ms", "p99 ms", "of the core", "peak RSS MiB"], rows),
    "",
    table(["p99 ms of run", ...stacks.map(({ label }) => label)], all),
  ].join("\n");
}
