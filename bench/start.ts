/** From exec to the first accepted connection, and what the sidecar then holds while nothing happens. */
import { cp, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parse, stringify } from "yaml";
import { LOAD_CORE, PROXY_CORE, ROOT } from "./layout.ts";
import { family, type Memory, memory, pinned } from "./linux.ts";
import { startOrigin } from "./origins.ts";
import { connects, freePort } from "./running.ts";

export const SAMPLE = "samples/all-in-one";
/** Set as the sample's `${INTERVAL}`: the tutorial's. */
const SAMPLE_INTERVAL = "15s";
const LIMIT_MS = 10_000;

export interface StartPlan {
  runs: number;
  idleMs: number;
  say(line: string): void;
}

export interface Start {
  /** Until a connection to the first listener was accepted. */
  listeningMs: number;
  /** Until `GET /startup` answered 200. */
  startedMs: number;
  idle: Memory;
  /** From SIGTERM to the end of the process. */
  stopMs: number;
}

/** A copy of the sample that can run anywhere: free ports, its own folders. */
export interface Copy {
  folder: string;
  config: string;
  /** Port of the first listener, inbound before outbound. */
  listener: number;
  health: number;
}

interface Listener {
  listen: unknown;
  [other: string]: unknown;
}

/** The part of a sidecar's config that is moved; everything else stays as the sample has it. */
interface Sample {
  health?: unknown;
  state?: string;
  inbound?: Listener[];
  outbound?: Listener[];
  [other: string]: unknown;
}

/** What the image's `ENV` lines set. */
export async function imageEnvironment(): Promise<Record<string, string>> {
  const text = await readFile(join(ROOT, "Containerfile"), "utf8");
  return Object.fromEntries([...text.matchAll(/^ENV (\w+)=(\S+)$/gm)].map(([, name, value]) => [name!, value!]));
}

/** Measures `plan.runs` starts of the program, after one that is not counted and fills the page cache. */
export async function measureStarts(
  program: readonly string[],
  plan: StartPlan,
  environment: Record<string, string> = {},
): Promise<Start[]> {
  const origin = await startOrigin();
  const starts: Start[] = [];
  try {
    await measureStart(program, origin.port, 0, environment);
    for (let run = 1; run <= plan.runs; run++) {
      const start = await measureStart(program, origin.port, plan.idleMs, environment);
      starts.push(start);
      plan.say(
        `  run ${run}: listening after ${start.listeningMs.toFixed(1)} ms, RssAnon ${(start.idle.rssAnonKiB / 1024).toFixed(1)} MiB`,
      );
    }
  } finally {
    origin.stop();
  }
  return starts;
}

async function measureStart(
  program: readonly string[],
  origin: number,
  idleMs: number,
  environment: Record<string, string>,
): Promise<Start> {
  const copy = await copySample(origin);
  const startedAt = performance.now();
  const child = pinned(PROXY_CORE, LOAD_CORE, () =>
    Bun.spawn([...program, "run", "-c", copy.config], {
      cwd: copy.folder,
      env: { ...process.env, ...environment, LOG_DIR: join(copy.folder, "logs"), INTERVAL: SAMPLE_INTERVAL },
      stdin: "ignore",
      stdout: Bun.file(join(copy.folder, "said.out")),
      stderr: Bun.file(join(copy.folder, "said.err")),
    }),
  );
  try {
    const alive = (): boolean => child.exitCode === null;
    const listeningMs = await since(startedAt, alive, () => connects(copy.listener));
    const startedMs = await since(startedAt, alive, () => isStarted(copy.health));
    await Bun.sleep(idleMs);
    const idle = memory(family(child.pid));
    return { listeningMs, startedMs, idle, stopMs: await stop(child) };
  } catch (error) {
    child.kill("SIGKILL");
    throw new Error(`${(error as Error).message}\n${await readFile(join(copy.folder, "said.err"), "utf8")}`);
  } finally {
    await rm(copy.folder, { recursive: true, force: true });
  }
}

/** Asks `holds` as often as the core of the load allows; resolves with the milliseconds since `startedAt`. */
async function since(startedAt: number, alive: () => boolean, holds: () => Promise<boolean>): Promise<number> {
  while (!(await holds())) {
    if (!alive() || performance.now() - startedAt > LIMIT_MS) throw new Error("the sidecar did not start");
    await new Promise(setImmediate);
  }
  return performance.now() - startedAt;
}

async function isStarted(health: number): Promise<boolean> {
  try {
    return (await fetch(`http://127.0.0.1:${health}/startup`)).status === 200;
  } catch {
    return false;
  }
}

async function stop(child: Bun.Subprocess): Promise<number> {
  const askedAt = performance.now();
  child.kill("SIGTERM");
  const ended = await Promise.race([child.exited.then(() => true), Bun.sleep(LIMIT_MS).then(() => false)]);
  if (!ended) child.kill("SIGKILL");
  await child.exited;
  return performance.now() - askedAt;
}

/** The sample's folder in a temporary place, its config on free ports and its calls sent to the bench's origin. */
export async function copySample(origin: number, sample = join(ROOT, SAMPLE)): Promise<Copy> {
  const folder = await mkdtemp(join(tmpdir(), "bench-start-"));
  await cp(sample, folder, { recursive: true, filter: (source) => !source.includes("node_modules") });
  const config = join(folder, "outrigger.yaml");
  const text = await readFile(config, "utf8");
  const health = freePort();
  const moved = move(parse(text) as Sample, { folder, health, origin, port: freePort });
  await writeFile(config, stringify(moved.sample));
  await writeFile(join(folder, "app.log"), "one line\nanother line\n");
  const [listener] = moved.ports;
  if (listener === undefined) throw new Error(`${sample}/outrigger.yaml has no listener to wait for`);
  return { folder, config, listener, health };
}

/** The same config with every listener on a new loopback port, and with all other loopback ports being the origin's. */
export function move(
  sample: Sample,
  place: { folder: string; health: number; origin: number; port: () => number },
): { sample: Sample; ports: number[] } {
  const listeners = [...(sample.inbound ?? []), ...(sample.outbound ?? [])];
  const ports = listeners.map(place.port);
  const moved = new Map(listeners.map(({ listen }, i) => [portOf(listen), ports[i]!]));
  const rest = replaceStrings(sample, (text) =>
    text.replace(
      /\b(localhost|127\.0\.0\.1):(\d+)/g,
      (_, host: string, port: string) => `${host}:${moved.get(port) ?? place.origin}`,
    ),
  ) as Sample;
  const inbound = (rest.inbound ?? []).map((listener, i) => ({ ...listener, listen: `127.0.0.1:${ports[i]}` }));
  const outbound = (rest.outbound ?? []).map((listener, i) => ({
    ...listener,
    listen: `127.0.0.1:${ports[inbound.length + i]}`,
  }));
  const state = join(place.folder, "state");
  return { sample: { ...rest, state, health: `127.0.0.1:${place.health}`, inbound, outbound }, ports };
}

function portOf(listen: unknown): string {
  return String(listen).split(":").at(-1)!;
}

function replaceStrings(value: unknown, replace: (text: string) => string): unknown {
  if (typeof value === "string") return replace(value);
  if (Array.isArray(value)) return value.map((item) => replaceStrings(item, replace));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, replaceStrings(item, replace)]));
}
