/** Where the sidecar's time goes under load: JavaScript functions by the runtime's sampler, native code by perf. */
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { type Contender, find, outrigger } from "./contenders.ts";
import { ROOT } from "./layout.ts";
import { cpuTicks } from "./linux.ts";
import { closedLoop, Load } from "./load.ts";
import { startOrigin } from "./origins.ts";
import { table } from "./page.ts";
import type { Point } from "./points.ts";
import { type Running, start } from "./running.ts";

export interface ProfilePlan {
  seconds: number;
  /** Rows to print. */
  top: number;
  say(line: string): void;
}

/** The parts used of a .cpuprofile file: a tree of call frames, and the node each sample fell on. */
export interface CpuProfile {
  nodes: { id: number; callFrame: { functionName: string; url: string; lineNumber: number } }[];
  /** Microseconds since the epoch. */
  startTime: number;
  samples: number[];
  /** Microseconds before each sample. */
  timeDeltas: number[];
}

/** What of a profile counts, in microseconds since the epoch. */
export interface Window {
  fromUs: number;
  toUs: number;
}

/** One profiled run: the time under steady load, and what perf saw of it. */
interface Seen extends Window {
  native: string;
}

const WARM_UP_MS = 2000;

/** Runs src/main.ts under the sampler, loads it at `point` and prints the functions with the most time of their own. */
export async function profile(point: Point, plan: ProfilePlan): Promise<void> {
  const found = await find("outrigger", { fromSource: true, say: plan.say });
  if ("missing" in found) throw new Error(found.missing);
  const folder = await mkdtemp(join(tmpdir(), "bench-profile-"));
  const [bun, main] = outrigger(true);
  const sampled: Contender = {
    ...found.contender,
    program: [bun!, "--cpu-prof", "--cpu-prof-interval=500", `--cpu-prof-dir=${folder}`, main!],
  };
  const seen = await load(sampled, point, plan);
  const files = (await readdir(folder)).filter((name) => name.endsWith(".cpuprofile"));
  for (const file of files) {
    plan.say(`\n${hottest((await Bun.file(join(folder, file)).json()) as CpuProfile, seen, plan.top)}`);
  }
  await rm(folder, { recursive: true, force: true });
  if (files.length === 0) plan.say("the runtime left no profile: the sidecar did not end by itself on SIGTERM");
  plan.say(`\n${seen.native}`);
}

/** Loads the sidecar and says how its time divides; ends it so that the profile is written. */
async function load(contender: Contender, point: Point, plan: ProfilePlan): Promise<Seen> {
  const origin = await startOrigin();
  let sidecar: Running | undefined;
  try {
    sidecar = await start(contender, "outrigger", origin.places, point.switches);
    const pid = sidecar.pids()[0]!;
    const clients = await Load.connect({
      port: sidecar.port,
      connections: point.connections,
      requests: point.requests(),
    });
    const marks: { atUs: number; user: number; system: number }[] = [];
    let native = Promise.resolve("");
    const answered = await closedLoop(clients, WARM_UP_MS, plan.seconds * 1000, () => {
      if (marks.length === 0) native = perf(pid, plan);
      marks.push({ atUs: Date.now() * 1000, ...cpuTicks(pid) });
    });
    clients.close();
    const [from, to] = [marks[0]!, marks[1]!];
    const us = (part: "user" | "system"): string => (((to[part] - from[part]) * 10_000) / answered).toFixed(1);
    plan.say(
      `${point.name}: ${answered} answers, user ${us("user")} µs and system ${us("system")} µs each, the sampler's own cost included`,
    );
    return { fromUs: from.atUs, toUs: to.atUs, native: await native };
  } finally {
    await sidecar?.stop();
    origin.stop();
  }
}

/** Self time by function within the window, the most first. */
export function hottest(profile: CpuProfile, window: Window, top: number): string {
  const names = new Map(profile.nodes.map(({ id, callFrame }) => [id, place(callFrame)]));
  const selfUs = new Map<string, number>();
  let atUs = profile.startTime;
  for (const [i, id] of profile.samples.entries()) {
    atUs += profile.timeDeltas[i] ?? 0;
    if (atUs < window.fromUs || atUs > window.toUs) continue;
    const name = names.get(id) ?? "?";
    selfUs.set(name, (selfUs.get(name) ?? 0) + (profile.timeDeltas[i] ?? 0));
  }
  const total = [...selfUs.values()].reduce((sum, us) => sum + us, 0);
  const rows = [...selfUs].sort((a, b) => b[1] - a[1]).slice(0, top);
  return table(
    ["function", "self ms", "share"],
    rows.map(([name, us]) => [name, (us / 1000).toFixed(0), `${((us / total) * 100).toFixed(1)} %`]),
  );
}

function place({ functionName, url, lineNumber }: CpuProfile["nodes"][number]["callFrame"]): string {
  const file = url.startsWith("file://") ? relative(ROOT, new URL(url).pathname) : url;
  return `${functionName || "(anonymous)"}${file ? ` ${file}:${lineNumber + 1}` : ""}`;
}

/** The same seconds seen by perf: kernel, runtime and compiled JavaScript. */
async function perf(pid: number, plan: ProfilePlan): Promise<string> {
  if (!Bun.which("perf"))
    return "perf is not installed: native and kernel code are not shown (Debian package linux-perf)";
  const data = join(tmpdir(), `bench-perf-${pid}.data`);
  const record = [
    "perf",
    "record",
    "-q",
    "-e",
    "cpu-clock",
    "-F",
    "997",
    "-p",
    String(pid),
    "-o",
    data,
    "--",
    "sleep",
    String(plan.seconds),
  ];
  await Bun.spawn(record, { stdout: "ignore", stderr: "ignore" }).exited;
  const report = async (sort: string): Promise<string[]> => {
    const command = ["perf", "report", "-i", data, "--stdio", "--sort", sort, "--percent-limit", "0.5"];
    const text = await Bun.spawn(command, { stdout: "pipe", stderr: "ignore" }).stdout.text();
    return text.split("\n").filter((line) => line.trim() !== "" && !line.startsWith("#"));
  };
  const [parts, symbols] = [await report("dso"), await report("dso,symbol")];
  await rm(data, { force: true });
  return ["by perf:", ...parts, "", ...symbols.slice(0, plan.top)].join("\n");
}
