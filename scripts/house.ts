/**
 * The house's rules, checked on the source: who may import whom, and which words stand where.
 *
 * Types may be imported from anywhere: they are gone before anything runs.
 */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";

const dropInFolders = ["filters", "discovery", "log-inputs", "log-transforms", "log-outputs", "cli"];

/** What a drop-in may import at top level. */
const lightImports = [
  "src/contracts.ts",
  "src/log-contracts.ts",
  "src/errors.ts",
  "src/version.ts",
  "src/config/peer.ts",
  "src/config/scalars.ts",
  "src/config/tls-options.ts",
  "zod",
];

interface WordRule {
  word: RegExp;
  /** Where the rule holds; everywhere in src unless given. */
  within?: readonly string[];
  /** Files, or folders ending in `/`, where the word may stand. */
  allowed: readonly string[];
  why: string;
}

const wordRules: readonly WordRule[] = [
  { word: /\bconsole\s*\./, allowed: [], why: "records go through the log worker, events through emit" },
  {
    word: /\b(process|Bun)\.env\b/,
    allowed: ["src/config/"],
    why: "the environment is read in src/config and passed on",
  },
  {
    word: /\bprocess\.(stdout|stderr)\b/,
    allowed: ["src/main.ts", "src/cli/"],
    why: "a stalled reader of stdout would freeze the loop",
  },
  {
    word: /\b(Date\.now\(|performance\.now\(|new Date\b(?!\([^)])|Math\.random\b)/,
    allowed: ["src/clock.ts", "src/main.ts"],
    why: "time and randomness come in as parameters",
  },
  {
    word: /\b(Bun\.connect|fetch)\s*\(/,
    // A socket in the way of our own is asked whether somebody still answers there.
    allowed: ["src/net/dial.ts", "src/cli/", "src/admin/admin-socket.ts"],
    why: "an upstream is reached through one door",
  },
  {
    word: /\bBun\.(listen|serve)\s*\(/,
    allowed: ["src/net/listen.ts", "src/admin/", "src/logs/keeping/lock.ts"],
    why: "listeners are made in one place",
  },
  {
    word: /\bset(Timeout|Interval)\s*\(/,
    within: ["src/http/", "src/inbound/", "src/outbound/", "src/filters/"],
    // A connection refused for want of room has no exchange whose wheel it could turn on.
    allowed: ["src/http/admission.ts"],
    why: "one coarse wheel per thread (src/net/wheel.ts) turns every timeout of an exchange",
  },
];

interface SourceFile {
  /** From the repository's root: `src/http/head.ts`. */
  path: string;
  /** Without comments and types. */
  code: string;
  imports: readonly { path: string; atTop: boolean }[];
}

const transpiler = new Bun.Transpiler({ loader: "ts", target: "bun" });

function resolved(from: string, specifier: string): string {
  return specifier.startsWith(".") ? normalize(join(dirname(from), specifier)) : specifier;
}

/** Reads one file as the rules see it. A macro is a function like others: it must not run here. */
export function sourceFile(path: string, source: string): SourceFile {
  const text = source.replace(/ with \{ type: "macro" \}/g, "");
  const imports = transpiler.scanImports(text).map(({ path: specifier, kind }) => ({
    path: resolved(path, specifier),
    atTop: kind === "import-statement",
  }));
  return { path, code: transpiler.transformSync(text), imports };
}

function dropInFolder(path: string): string | undefined {
  const folder = /^src\/([^/]+)\//.exec(path)?.[1];
  return dropInFolders.find((name) => name === folder);
}

/** `_child.ts` in a drop-in folder is a part that its neighbours share, not a drop-in. */
function isShared(path: string): boolean {
  return /\/_[^/]*$/.test(path);
}

function importFault(file: SourceFile, { path, atTop }: SourceFile["imports"][number]): string | undefined {
  const home = dropInFolder(file.path);
  const target = dropInFolder(path);
  const isOwnPart = target === home && isShared(path);
  if (target !== undefined && file.path !== "src/registry.gen.ts" && !isOwnPart) {
    return `${file.path} imports ${path}: drop-ins are reached through src/registry.gen.ts only`;
  }
  const isOwnOptions = isOwnPart && /-options\.ts$/.test(path); // what a configuration is read with
  if (home === undefined || isShared(file.path) || !atTop || isOwnOptions || lightImports.includes(path))
    return undefined;
  return `${file.path} imports ${path} at top level: a drop-in imports it inside create() or run(), so that it costs nothing unused`;
}

function standsIn(path: string, places: readonly string[]): boolean {
  return places.some((place) => path.startsWith(place));
}

function wordFaults({ path, code }: SourceFile): string[] {
  const broken = wordRules.filter(
    ({ word, within = ["src/"], allowed }) => word.test(code) && standsIn(path, within) && !standsIn(path, allowed),
  );
  return broken.map(({ word, why }) => `${path} contains ${word.exec(code)?.[0]}: ${why}`);
}

const vagueName = /(handler|manager|util|helper|processor)/;

function nameFaults({ path }: SourceFile): string[] {
  const faults: string[] = [];
  if (!/^[a-z0-9_./-]+$/.test(path)) faults.push(`${path}: file names are kebab-case`);
  if (vagueName.test(path)) faults.push(`${path}: name what it is, not that it ${vagueName.exec(path)?.[0]}s`);
  return faults;
}

/** Every fault of one file, a sentence each. */
export function fileFaults(file: SourceFile): string[] {
  const imports = file.imports.map((entry) => importFault(file, entry)).filter((fault) => fault !== undefined);
  return [...new Set([...imports, ...wordFaults(file), ...nameFaults(file)])];
}

/** Paths that a page names between backticks or in its drawings, and that do not exist. `*` stands for any name. */
export function missingPaths(root: string, page: string): string[] {
  const named = page.matchAll(/\b(?:src|test|scripts|samples|bench|docs|deploy)\/[\w./*-]*[\w*/]/g);
  const missing = [...new Set([...named].map(([path]) => path))].filter((path) => {
    if (!path.includes("*")) return !existsSync(join(root, path));
    return [...new Bun.Glob(path).scanSync({ cwd: root, onlyFiles: false })].length === 0;
  });
  return missing.map((path) => `docs/architecture.md names ${path}, which does not exist`);
}

/** Every fault of the repository at `root`, a sentence each. */
export async function houseFaults(root: string): Promise<string[]> {
  const paths = [...new Bun.Glob("src/**/*.ts").scanSync({ cwd: root })].sort();
  const sources = paths.filter((path) => !path.endsWith(".test.ts"));
  const faults = sources.flatMap((path) => fileFaults(sourceFile(path, readFileSync(join(root, path), "utf8"))));
  const page = join(root, "docs/architecture.md");
  return existsSync(page) ? [...faults, ...missingPaths(root, readFileSync(page, "utf8"))] : faults;
}
