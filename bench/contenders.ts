/** The proxies that are compared, how each is started, and what it says of its version. */
import { existsSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { family, pinned } from "./linux.ts";

export const PROXY_CORE = 0;
export const LOAD_CORE = 1;
export const ROOT = resolve(import.meta.dir, "..");
export const BINARY = join(ROOT, "dist/outrigger");
const START_LIMIT_MS = 10_000;
/** Longer than the sidecar takes to announce that it leaves: a profile is written only at its own exit. */
const STOP_LIMIT_MS = 15_000;

export interface Contender {
  name: string;
  /** File under `bench/configs` that it runs with. */
  config: string;
  /** What to run, without arguments; several words when the program is a script. */
  program: string[];
  arguments(configPath: string): string[];
  versionArguments: string[];
}

/** One started process of a contender; `label` tells two of the same apart. */
export interface Running {
  label: string;
  port: number;
  pids(): number[];
  stop(): Promise<void>;
}

/** What replaces `{{…}}` in a config. */
export interface Places {
  port: number;
  origin: number;
  sameFields: boolean;
}

export type Found = { contender: Contender } | { missing: string };

const contenders: Record<string, Omit<Contender, "name" | "program"> & { package?: string }> = {
  outrigger: { config: "outrigger.yaml", arguments: (path) => ["run", "-c", path], versionArguments: ["version"] },
  haproxy: {
    config: "haproxy.cfg",
    arguments: (path) => ["-db", "-f", path],
    versionArguments: ["-v"],
    package: "haproxy",
  },
  nginx: { config: "nginx.conf", arguments: (path) => ["-c", path], versionArguments: ["-v"], package: "nginx" },
};

/** Looks the contender's program up: our own as the compiled binary or from source, the others in PATH. */
export function find(name: string, fromSource: boolean): Found {
  const entry = contenders[name];
  if (!entry) return { missing: `${name} is not one of ${Object.keys(contenders).join(", ")}` };
  const program = entry.package ? inPath(name) : outrigger(fromSource);
  if (program) return { contender: { ...entry, name, program } };
  if (entry.package) return { missing: `${name} is not installed (Debian package ${entry.package})` };
  return { missing: `${BINARY} does not exist: \`npm run build\` makes it, \`--source\` runs src/main.ts instead` };
}

function inPath(name: string): string[] | undefined {
  const path = Bun.which(name, { PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` });
  return path ? [path] : undefined;
}

/** Our own program: the compiled binary, or `bun src/main.ts`. */
export function outrigger(fromSource: boolean): string[] | undefined {
  const main = join(ROOT, "src/main.ts");
  if (fromSource) return existsSync(main) ? [process.execPath, main] : undefined;
  return existsSync(BINARY) ? [BINARY] : undefined;
}

export async function version(contender: Contender): Promise<string> {
  const child = Bun.spawn([...contender.program, ...contender.versionArguments], { stdout: "pipe", stderr: "pipe" });
  const said = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const line = said.join("\n").trim().split("\n")[0] ?? "";
  const short = line.replace(/ - https?:\S+$/, "");
  return short.toLowerCase().includes(contender.name) ? short : `${contender.name} ${short}`;
}

/** A port nobody listens on just now. */
export function freePort(): number {
  const probe = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = probe;
  probe.stop(true);
  return port;
}

/** Starts the contender on the proxy's core and waits until it accepts connections. */
export async function start(contender: Contender, label: string, places: Omit<Places, "port">): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), `bench-${label.replace(" ", "-")}-`));
  await chmod(folder, 0o755);
  const port = freePort();
  const config = join(folder, contender.config);
  await writeFile(config, await fill(contender.config, folder, { ...places, port }));
  await mkdir(join(folder, "state"));
  const said = join(folder, "said");
  const command = [...contender.program, ...contender.arguments(config)];
  const child = pinned(PROXY_CORE, LOAD_CORE, () =>
    Bun.spawn(command, { stdin: "ignore", stdout: Bun.file(`${said}.out`), stderr: Bun.file(`${said}.err`) }),
  );
  const stop = async (): Promise<void> => {
    child.kill();
    await Promise.race([child.exited, Bun.sleep(STOP_LIMIT_MS).then(() => child.kill("SIGKILL"))]);
    await rm(folder, { recursive: true, force: true });
  };
  if (await accepts(port, () => child.exitCode === null)) return { label, port, pids: () => family(child.pid), stop };
  const why = `${await readFile(`${said}.out`, "utf8")}${await readFile(`${said}.err`, "utf8")}`;
  await stop();
  throw new Error(`${label} did not start (${command.join(" ")}):\n${why}`);
}

/** The text of a config template with its places filled in. */
export async function fill(template: string, folder: string, places: Places): Promise<string> {
  const text = await readFile(join(ROOT, "bench/configs", template), "utf8");
  const values: Record<string, string> = {
    folder,
    port: String(places.port),
    origin: String(places.origin),
    health: String(freePort()),
  };
  return text
    .split("\n")
    .filter((line) => places.sameFields || !line.includes("# only: same-fields"))
    .join("\n")
    .replace(/\{\{(\w+)\}\}/g, (_, place: string) => values[place] ?? "");
}

/** Polls until a connection to `port` succeeds; false when `alive` says the process ended or time is up. */
async function accepts(port: number, alive: () => boolean): Promise<boolean> {
  for (const until = performance.now() + START_LIMIT_MS; alive() && performance.now() < until; await Bun.sleep(20)) {
    if (await connects(port)) return true;
  }
  return false;
}

/** True when a TCP connection to the loopback port is accepted now. */
export async function connects(port: number): Promise<boolean> {
  try {
    const socket = await Bun.connect({ hostname: "127.0.0.1", port, socket: { data() {}, connectError() {} } });
    socket.terminate();
    return true;
  } catch {
    return false;
  }
}
