/** One started process of a contender, on the proxy's core. */
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Contender, nginxModules } from "./contenders.ts";
import { LOAD_CORE, PROXY_CORE } from "./layout.ts";
import { family, pinned } from "./linux.ts";
import { fill, type Places, type Switches } from "./template.ts";

/** Envoy takes longest; some wait for their first look at the configuration. */
const START_LIMIT_MS = 15_000;
/** Longer than the sidecar takes to announce that it leaves: a profile is written only at its own exit. */
const STOP_LIMIT_MS = 15_000;

/** `label` tells two processes of the same contender apart. */
export interface Running {
  label: string;
  port: number;
  pids(): number[];
  stop(): Promise<void>;
}

/** Switches that a config may ask for and that are off unless a command or a point says otherwise. */
const OFF: Switches = { tls: 0, http2: 0, websocket: 0, routes: 0, filters: 0, sameFields: 0 };

/** Below the ports the kernel gives to those who ask for any: none of them takes ours before it is used. */
const PORTS = { from: 10_000, to: 30_000 };

/** A port nobody listens on just now. */
export function freePort(): number {
  for (;;) {
    const port = PORTS.from + Math.floor(Math.random() * (PORTS.to - PORTS.from));
    try {
      Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
      return port;
    } catch {
      // Taken: another one then.
    }
  }
}

/** Starts the contender and waits until it accepts connections. */
export async function start(
  contender: Contender,
  label: string,
  places: Places,
  switches: Switches = {},
): Promise<Running> {
  const folder = await mkdtemp(join(tmpdir(), `bench-${label.replace(/\W+/g, "-")}-`));
  await chmod(folder, 0o755);
  await mkdir(join(folder, "state"));
  const port = freePort();
  const [config] = await writeConfigs(contender.templates, folder, { ...places, port }, switches);
  const said = join(folder, "said");
  const command = [...contender.program, ...contender.arguments(config!)];
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
  throw new Error(`${label} did not start (${command.join(" ")}):\n${why.trim().split("\n").slice(0, 12).join("\n")}`);
}

/** Fills the templates into `folder`; returns their paths. */
export async function writeConfigs(
  templates: readonly string[],
  folder: string,
  places: Places,
  switches: Switches,
): Promise<string[]> {
  const all: Switches = { ...OFF, ...switches };
  const values: Places = {
    folder,
    health: freePort(),
    scheme: all.http2 ? "h2c" : "http",
    http1: places.origin ?? "",
    modules: nginxModules() ?? "",
    ...places,
  };
  // `.template` keeps tools away from what is no JSON or resolves its imports elsewhere.
  const paths = templates.map((template) => join(folder, basename(template, ".template")));
  for (const [i, path] of paths.entries()) await writeFile(path, await fill(templates[i]!, values, all));
  return paths;
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
