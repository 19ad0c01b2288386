/**
 * Filters' code, run in this thread, each version once.
 *
 * It is run as a script, not imported: an imported module stays for as long as the process lives (measured: 72 KB for a
 * small filter), while a script that nobody uses any more is collected. What grows is the engine's cache of compiled
 * code, and that has a bound of its own (`docs/filters.md` has the figures).
 */
import { createRequire } from "node:module";
import { Script } from "node:vm";
import * as z from "zod";
import type { UserFilterDefinition } from "./author.ts";
import * as author from "./author.ts";

/** Under `Symbol.for` of it, this thread keeps what filters import from `outrigger` and `outrigger/zod`. */
export const modulesKey = "outrigger.modules";

/** A version of a filter as every thread can be given it. */
export interface FilterCode {
  /** Absolute path of the file it was made of. */
  readonly source: string;
  readonly hash: string;
  readonly code: string;
}

const loaded = new Map<string, unknown>();
const counted = { loads: 0, bytes: 0 };

/** How many versions this thread has run, and how many characters of code they had, together. */
export function loadCounts(): { readonly loads: number; readonly bytes: number } {
  return counted;
}

/**
 * The default export of a filter's code, whatever it is. Runs the code the first time only.
 * @throws whatever the code throws while it is loaded
 */
export function loadFilterCode(version: FilterCode): unknown {
  if (loaded.has(version.hash)) return loaded.get(version.hash);
  const found = run(version);
  loaded.set(version.hash, found);
  return found;
}

/** Forgets all versions but these; true when there were others. */
export function keepFilterCode(hashes: ReadonlySet<string>): boolean {
  const before = loaded.size;
  for (const hash of [...loaded.keys()]) if (!hashes.has(hash)) loaded.delete(hash);
  return loaded.size < before;
}

function run({ source, hash, code }: FilterCode): unknown {
  const key = Symbol.for(modulesKey);
  if (!(key in globalThis)) Object.assign(globalThis, { [key]: { outrigger: author, "outrigger/zod": z } });
  counted.loads++;
  counted.bytes += code.length;
  const script = new Script(code, { filename: bundleName(source, hash) });
  const module: { exports: { default?: unknown } } = { exports: {} };
  const wrapper: (...scope: unknown[]) => void = script.runInThisContext();
  wrapper(module.exports, createRequire(source), module, source, source.replace(/\/[^/]*$/, ""));
  return module.exports.default;
}

/** `add-tenant-0123456789ab.js`: the name of a version in stack traces and in the state folder. */
export function bundleName(source: string, hash: string): string {
  return `${baseName(source)}-${hash.slice(0, 12)}.js`;
}

/** The file's name without its ending, in letters that fit a name: a filter's name where nobody gave it one. */
export function baseName(source: string): string {
  const name = source.replace(/^.*\//, "").replace(/\.[^.]*$/, "");
  return (
    name
      .replace(/[^\w.-]/g, "-")
      .replace(/^[^A-Za-z0-9]+/, "")
      .slice(0, 50) || "filter"
  );
}

/** True for what `defineFilter` made. */
export function isUserFilter(value: unknown): value is UserFilterDefinition {
  return typeof value === "object" && value !== null && (value as { kind?: unknown }).kind === "user-filter";
}
