/**
 * Runs Bun, installing first whatever is missing: `node scripts/bun.mjs src/main.ts run`.
 *
 * The only file here that Node runs, because in a fresh clone Node and npm are all there is.
 * Bun itself is an npm package whose binary is put in place by a postinstall script; where npm
 * ran no scripts (`npm ci --ignore-scripts`), that script is run here, once.
 */
import { spawn, spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const modules = join(root, "node_modules");
const forwardedSignals = ["SIGTERM", "SIGHUP", "SIGUSR1", "SIGUSR2"];

/** A placeholder stands where the binary belongs until Bun's postinstall script ran; it is a few bytes long. */
const smallestBinaryBytes = 1_000_000;

function say(text) {
  process.stderr.write(`outrigger: ${text}\n`);
}

function lockedPackages(file) {
  const { packages } = JSON.parse(readFileSync(file, "utf8"));
  return new Map(Object.entries(packages).filter(([place]) => place !== ""));
}

/** Why node_modules is not what package-lock.json says, or undefined when it is. npm leaves out optional packages of other platforms. */
function whyStale() {
  const record = join(modules, ".package-lock.json");
  if (!existsSync(record)) return "node_modules is missing";
  const installed = lockedPackages(record);
  const locked = lockedPackages(join(root, "package-lock.json"));
  for (const [place, { version, optional }] of locked) {
    const found = installed.get(place);
    if (found ? found.version !== version : !optional) return `${place} is not the locked ${version}`;
  }
  return undefined;
}

/** Runs a program of Node's with our terminal; true when it ended well. Its stdout is our stderr: ours belongs to what runs later. */
function succeeds(command, words, shell = false) {
  return spawnSync(command, words, { cwd: root, stdio: ["ignore", 2, 2], shell }).status === 0;
}

function install() {
  const reason = whyStale();
  if (reason === undefined) return true;
  say(`${reason}; running npm ci`);
  const npm = process.env.npm_execpath;
  if (npm?.endsWith("npm-cli.js")) return succeeds(process.execPath, [npm, "ci"]);
  return succeeds("npm", ["ci"], process.platform === "win32");
}

function isBinary(file) {
  return existsSync(file) && statSync(file).size > smallestBinaryBytes;
}

/** Bun's binary where its postinstall script puts it, else where the platform's package brings it, else undefined. */
function findBun() {
  const installed = join(modules, "bun", "bin", "bun.exe");
  if (isBinary(installed)) return installed;
  const platforms = join(modules, "@oven");
  if (!existsSync(platforms)) return undefined;
  const candidates = readdirSync(platforms).flatMap((name) =>
    ["bun", "bun.exe"].map((file) => join(platforms, name, "bin", file)),
  );
  return candidates.find((file) => isBinary(file) && spawnSync(file, ["--version"]).status === 0);
}

function prepareBun() {
  const placed = join(modules, "bun", "bin", "bun.exe");
  const script = join(modules, "bun", "install.js");
  if (!isBinary(placed) && existsSync(script)) succeeds(process.execPath, [script]);
  return findBun();
}

/** Runs Bun in our place: same terminal, signals passed on, its exit code ours. */
function become(bun, words) {
  const path = [join(modules, ".bin"), process.env.PATH ?? ""].join(delimiter);
  const child = spawn(bun, words, { stdio: "inherit", env: { ...process.env, PATH: path } });
  // Ctrl-C reaches the child from the terminal itself: here it is only to be survived.
  process.on("SIGINT", () => {});
  for (const signal of forwardedSignals) process.on(signal, () => child.kill(signal));
  child.on("error", (error) => {
    say(`${bun} could not be started: ${error.message}`);
    process.exitCode = 3;
  });
  child.on("exit", (code, signal) => {
    process.exitCode = code ?? 128 + (constants.signals[signal] ?? 0);
  });
}

const installed = install();
const bun = installed ? prepareBun() : undefined;
if (bun) become(bun, process.argv.slice(2));
else {
  say(installed ? "no Bun binary for this platform came with `npm ci`" : "`npm ci` failed; its message stands above");
  process.exitCode = 3;
}
