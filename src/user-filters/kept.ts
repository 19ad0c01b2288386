/**
 * The versions of filters that run, kept in `filters/` of the state folder: what a restarted container runs when a file
 * has become wrong meanwhile, beside the last good text of the configuration, and what the lines of a stack trace are in.
 */
import { mkdir, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { filtersOf } from "../config/filters-of.ts";
import { isMap } from "../config/raw.ts";
import { fileTrouble } from "../config/reading.ts";
import type { Config } from "../config/schema.ts";
import type { Bundle } from "./bundle.ts";
import { bundleName } from "./modules.ts";

const folderName = "filters";
/** Which file is which: a list of `KeptVersion`. */
const indexName = "versions.json";

interface KeptVersion {
  /** Absolute path of the TypeScript file. */
  readonly source: string;
  readonly hash: string;
}

/** Keeps the versions that a configuration uses, and removes all others. Resolves to why not, as the end of a sentence. */
export async function keepVersions(stateDir: string, config: Config): Promise<string | undefined> {
  const folder = join(stateDir, folderName);
  const filters = filtersOf(config);
  const names = new Set([indexName, ...filters.map(({ source, hash }) => bundleName(source, hash))]);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const there = await readdir(folder);
    for (const { source, hash, code } of filters) {
      const name = bundleName(source, hash);
      if (!there.includes(name)) await write(folder, name, code);
    }
    const index: KeptVersion[] = filters.map(({ source, hash }) => ({ source, hash }));
    await write(folder, indexName, JSON.stringify(index));
    for (const name of there) if (!names.has(name)) await rm(join(folder, name));
    return undefined;
  } catch (error) {
    return fileTrouble(error);
  }
}

/** Whole or not at all, whenever the process ends. */
async function write(folder: string, name: string, text: string): Promise<void> {
  const draft = join(folder, `.${name}.draft`);
  await writeFile(draft, text, { mode: 0o600 });
  await rename(draft, join(folder, name));
}

/** The versions kept in the first of these folders that has some, by the file they were made of. */
export async function keptVersions(stateFolders: readonly string[]): Promise<Map<string, Bundle>> {
  for (const stateDir of stateFolders) {
    const folder = join(stateDir, folderName);
    const index = await readIndex(folder);
    if (index.length === 0) continue;
    const read = await Promise.all(index.map((version) => readVersion(folder, version)));
    return new Map(read.filter((entry) => entry !== undefined));
  }
  return new Map();
}

async function readIndex(folder: string): Promise<KeptVersion[]> {
  try {
    const index: unknown = JSON.parse(await readFile(join(folder, indexName), "utf8"));
    return Array.isArray(index) ? index.filter(isKept) : [];
  } catch {
    return [];
  }
}

function isKept(value: unknown): value is KeptVersion {
  return isMap(value) && typeof value.source === "string" && typeof value.hash === "string";
}

/** Undefined for what is not what was kept. */
async function readVersion(folder: string, { source, hash }: KeptVersion): Promise<[string, Bundle] | undefined> {
  try {
    const code = await readFile(join(folder, bundleName(source, hash)), "utf8");
    const isWhole = new Bun.CryptoHasher("sha256").update(code).digest("hex") === hash;
    return isWhole ? [source, { code, hash }] : undefined;
  } catch {
    return undefined;
  }
}
