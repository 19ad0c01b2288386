/**
 * `npm run image`: the sidecar's image and that of the samples' workloads, for this machine's architecture or those
 * named with `--arch amd64` and `--arch arm64`; with the engine named with `--with`, else with podman, buildah or docker,
 * whichever works. No registry is asked for images. See docs/image.md.
 */
import { mkdirSync, statSync } from "node:fs";
import { join, relative } from "node:path";
import { parseArgs } from "node:util";
import manifest from "../package.json" with { type: "json" };
import { compile } from "./compile.ts";
import { writeBill } from "./image/bill.ts";
import type { Architecture } from "./image/elf.ts";
import { build, type EngineName, engine, engineNames, save } from "./image/engine.ts";
import { fetchBun, foreignTargets } from "./image/foreign-bun.ts";
import { fetchPackages, machine, type Package } from "./image/packages.ts";
import { outputOf, works } from "./image/programs.ts";
import { layOut } from "./image/root.ts";

const root = join(import.meta.dirname, "..");
const { version, license, description } = manifest;
const own: Architecture = process.arch === "arm64" ? "arm64" : "amd64";

const images = [
  { stage: "outrigger", title: "outrigger", about: description },
  {
    stage: "samples",
    title: "outrigger-samples",
    about: "The workloads of Outrigger's samples: they stand in for your app.",
  },
] as const;

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

/** https://github.com/opencontainers/image-spec/blob/main/annotations.md */
function labels(title: string, about: string): Record<string, string> {
  const revision = works("git", "-C", root, "rev-parse", "HEAD");
  const oci = {
    title,
    description: about,
    version,
    licenses: license,
    created: new Date().toISOString(),
    ...(revision ? { revision: outputOf(["git", "-C", root, "rev-parse", "HEAD"]).trim() } : {}),
  };
  return Object.fromEntries(Object.entries(oci).map(([name, value]) => [`org.opencontainers.image.${name}`, value]));
}

/** Compiles and lays out everything the images hold, below `folder`. */
async function layOutFor(architecture: Architecture, folder: string): Promise<Package[]> {
  mkdirSync(folder, { recursive: true });
  const outrigger = join(folder, "compiled");
  if (architecture === own) {
    await compile(outrigger);
    return layOut({ folder, origin: machine, outrigger, bun: process.execPath });
  }
  const bun = fetchBun(architecture, join(folder, "bun"));
  await compile(outrigger, { target: foreignTargets[architecture].target, bun });
  const origin = fetchPackages(["libc6", "nftables"], architecture, join(folder, "packages"));
  return layOut({ folder, origin, outrigger, bun });
}

async function buildFor(architecture: Architecture, by: EngineName): Promise<void> {
  const context = join(root, "dist/image", architecture);
  const packages = await layOutFor(architecture, context);
  for (const { stage, title, about } of images) {
    // With the registry's name before it, as Kubernetes and ctr complete `outrigger:0.1.0`.
    const name = `docker.io/library/${title}:${version}`;
    const containerfile = join(root, "Containerfile");
    build(by, { name, stage, architecture, containerfile, context, labels: labels(title, about) });
    const archive = join(root, "dist", `${title}-${version}-${architecture}.tar`);
    save(by, name, archive);
    say(
      `${relative(process.cwd(), archive)}: ${title}:${version} for ${architecture}, ${Math.round(statSync(archive).size / 1e6)} MB`,
    );
  }
  const bill = join(root, "dist", `outrigger-${version}-${architecture}.cdx.json`);
  writeBill(bill, packages, architecture);
  say(`${relative(process.cwd(), bill)}: what outrigger:${version} is made of`);
}

function isOneOf<T extends string>(word: string, words: readonly T[]): word is T {
  return words.some((one) => one === word);
}

function chosen<T extends string>(words: readonly string[], allowed: readonly T[]): T[] {
  return words.map((word) => {
    if (!isOneOf(word, allowed)) throw new Error(`${word} is none of ${allowed.join(", ")}`);
    return word;
  });
}

/** The machine's own comes last: the name in the engine's storage is then that of an image that runs here. */
function inOrder(architectures: readonly Architecture[]): Architecture[] {
  return [...new Set(architectures)].sort((a, b) => Number(a === own) - Number(b === own));
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { arch: { type: "string", multiple: true }, with: { type: "string" } } });
  const [wished] = chosen(values.with === undefined ? [] : [values.with], engineNames);
  const by = engine(wished);
  for (const architecture of inOrder(chosen(values.arch ?? [own], ["amd64", "arm64"])))
    await buildFor(architecture, by);
}

try {
  await main();
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
