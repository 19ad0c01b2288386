/**
 * File patterns, compiled once and walked again and again: `*`, `?`, `[a-z]`, `[!a-z]`, `{a,b}` and `**` for any
 * number of folders. As in a shell, a wildcard takes no dot at the start of a name, `\` takes the next character as
 * it is, and a bracket or brace that is never closed stands for itself: there is no wrong pattern.
 *
 * Why our own: the scan runs every second, and in a folder of 1,000 files `fs.globSync` takes 30 ms, this takes 1 ms.
 */
import { readdirSync } from "node:fs";
import { basename, resolve } from "node:path";

/** One name between two slashes. */
type Segment =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "any"; readonly test: RegExp }
  | { readonly kind: "deep" };

/** Folders that cannot be listed are told to it; those that do not exist are not. */
export type Report = (path: string, code: string) => void;

/** Who hears of a walk. */
export interface Walker {
  /** Every path that may match now; one that was written out in full is visited whether it exists or not. */
  visit(path: string): void;
  readonly report: Report;
  /** A folder that is about to be listed. */
  list?(folder: string): void;
}

/** Patterns a document may reasonably make of its braces; what comes on top is left out. */
const mostAlternatives = 1_000;
/** Depth at which `**` gives up, so that a bind mount inside itself ends. */
const deepest = 64;

/** An absolute pattern. */
export class Glob {
  readonly pattern: string;
  /** True when it can only ever name one file. */
  readonly literal: boolean;
  private readonly alternatives: readonly (readonly Segment[])[];

  constructor(pattern: string) {
    this.pattern = pattern;
    this.alternatives = expandBraces(pattern).map((one) => segmentsOf(one));
    const only = this.alternatives.length === 1 ? this.alternatives[0]! : [];
    this.literal = only.length > 0 && only.every((segment) => segment.kind === "name");
  }

  walk(walker: Walker): void {
    for (const segments of this.alternatives) new Walk(segments, walker).from("", 0, 0);
  }

  matches(path: string): boolean {
    const names = path.split("/").slice(1);
    return this.alternatives.some((segments) => matchNames(segments, 0, names, 0));
  }
}

/** A pattern of paths as a configuration has it, from this folder on. */
export function absolutePattern(pattern: string, folder: string): string {
  return resolve(folder, pattern);
}

/** A pattern to leave out: one without a slash is compared with names, and `**` in front means any folder at all. */
export function absoluteExclusion(pattern: string, folder: string): string {
  return pattern.startsWith("**/") || !pattern.includes("/") ? pattern : resolve(folder, pattern);
}

/** Patterns to leave out. One without a slash is compared with the name alone. */
export class Exclusion {
  private readonly paths: readonly Glob[];
  private readonly names: readonly Glob[];

  constructor(patterns: readonly string[]) {
    this.paths = patterns.filter((pattern) => pattern.includes("/")).map((pattern) => new Glob(pattern));
    this.names = patterns.filter((pattern) => !pattern.includes("/")).map((pattern) => new Glob(`/${pattern}`));
  }

  takes(path: string): boolean {
    if (this.names.length > 0 && this.names.some((glob) => glob.matches(`/${basename(path)}`))) return true;
    return this.paths.some((glob) => glob.matches(path));
  }
}

class Walk {
  private readonly segments: readonly Segment[];
  private readonly walker: Walker;

  constructor(segments: readonly Segment[], walker: Walker) {
    this.segments = segments;
    this.walker = walker;
  }

  /** Walks on from `folder` (without a slash at its end) with the segment at place `at`. */
  from(folder: string, at: number, depth: number): void {
    const segment = this.segments[at];
    if (segment === undefined) return;
    const isLast = at === this.segments.length - 1;
    if (segment.kind === "name") this.step(`${folder}/${segment.name}`, at, isLast);
    else if (segment.kind === "deep") this.deep(folder, at, isLast, depth);
    else this.choose(folder, segment.test, at, isLast);
  }

  private choose(folder: string, test: RegExp, at: number, isLast: boolean): void {
    for (const name of this.list(folder)) {
      if (test.test(name)) this.step(`${folder}/${name}`, at, isLast);
    }
  }

  private step(path: string, at: number, isLast: boolean): void {
    if (isLast) this.walker.visit(path);
    else this.from(path, at + 1, 0);
  }

  /** No folder at all, or one more. Links to folders are not followed: they are what loops are made of. */
  private deep(folder: string, at: number, isLast: boolean, depth: number): void {
    if (!isLast) this.from(folder, at + 1, 0);
    if (depth >= deepest) return;
    for (const entry of this.entries(folder)) {
      if (entry.name.startsWith(".")) continue;
      if (entry.isDirectory()) this.deep(`${folder}/${entry.name}`, at, isLast, depth + 1);
      else if (isLast) this.walker.visit(`${folder}/${entry.name}`);
    }
  }

  private list(folder: string): string[] {
    return this.attempt(folder, () => readdirSync(folder || "/"));
  }

  private entries(folder: string) {
    return this.attempt(folder, () => readdirSync(folder || "/", { withFileTypes: true }));
  }

  private attempt<T>(folder: string, read: () => T[]): T[] {
    this.walker.list?.(folder || "/");
    try {
      return read();
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "EIO";
      if (code !== "ENOENT" && code !== "ENOTDIR") this.walker.report(folder, code);
      return [];
    }
  }
}

function matchNames(segments: readonly Segment[], at: number, names: readonly string[], place: number): boolean {
  const segment = segments[at];
  if (segment === undefined) return place === names.length;
  if (segment.kind === "deep") return matchDeep(segments, at, names, place);
  const name = names[place];
  if (name === undefined || !(segment.kind === "name" ? segment.name === name : segment.test.test(name))) return false;
  return matchNames(segments, at + 1, names, place + 1);
}

function matchDeep(segments: readonly Segment[], at: number, names: readonly string[], place: number): boolean {
  if (at === segments.length - 1) return names.slice(place).every((name) => !name.startsWith("."));
  for (let next = place; next < names.length; next++) {
    if (matchNames(segments, at + 1, names, next)) return true;
    if (names[next]!.startsWith(".")) return false;
  }
  return false;
}

/** `/a/{b,c{d,e}}` is `/a/b`, `/a/cd`, `/a/ce`. */
export function expandBraces(pattern: string): string[] {
  const group = firstGroup(pattern);
  if (group === undefined) return [pattern];
  const made: string[] = [];
  for (const one of group.alternatives) {
    for (const whole of expandBraces(group.before + one + group.after)) {
      if (made.length < mostAlternatives) made.push(whole);
    }
  }
  return made;
}

interface Group {
  readonly before: string;
  readonly alternatives: readonly string[];
  readonly after: string;
}

function firstGroup(pattern: string): Group | undefined {
  for (let start = 0; start < pattern.length; start++) {
    if (pattern[start] === "\\") start++;
    else if (pattern[start] === "{") {
      const group = groupAt(pattern, start);
      if (group !== undefined) return group;
    }
  }
  return undefined;
}

/** The group that begins at `start`; undefined when it is never closed or offers no choice. */
function groupAt(pattern: string, start: number): Group | undefined {
  const alternatives: string[] = [];
  let depth = 0;
  let from = start + 1;
  for (let i = start; i < pattern.length; i++) {
    const char = pattern[i];
    if (char === "\\") i++;
    else if (char === "{") depth++;
    else if (char === "," && depth === 1) {
      alternatives.push(pattern.slice(from, i));
      from = i + 1;
    } else if (char === "}" && --depth === 0) {
      alternatives.push(pattern.slice(from, i));
      if (alternatives.length < 2) return undefined;
      return { before: pattern.slice(0, start), alternatives, after: pattern.slice(i + 1) };
    }
  }
  return undefined;
}

function segmentsOf(pattern: string): Segment[] {
  const names = pattern.split("/").filter((name) => name !== "");
  return names.map(segmentOf);
}

function segmentOf(name: string): Segment {
  if (name === "**") return { kind: "deep" };
  if (!/[*?[\\]/.test(name)) return { kind: "name", name };
  const { source, wild } = toRegExp(name);
  if (!wild) return { kind: "name", name: name.replace(/\\(.)/g, "$1") };
  const hidden = name.startsWith(".") || name.startsWith("\\.");
  return { kind: "any", test: new RegExp(`^${hidden ? "" : "(?!\\.)"}${source}$`, "u") };
}

function toRegExp(name: string): { source: string; wild: boolean } {
  let source = "";
  let wild = false;
  for (let i = 0; i < name.length; i++) {
    const char = name[i]!;
    const set = char === "[" ? setAt(name, i) : undefined;
    if (set !== undefined) {
      source += set.source;
      i = set.end;
    } else if (char === "*") source += source.endsWith("[^]*") ? "" : "[^]*";
    else if (char === "?") source += "[^]";
    else source += RegExp.escape(char === "\\" && i + 1 < name.length ? name[++i]! : char);
    wild ||= set !== undefined || char === "*" || char === "?";
  }
  return { source, wild };
}

/** The set `[…]` that begins at `start`, as a regular expression; undefined when it is never closed. */
function setAt(name: string, start: number): { source: string; end: number } | undefined {
  const negated = name[start + 1] === "!" || name[start + 1] === "^";
  const first = start + (negated ? 2 : 1);
  const end = name.indexOf("]", first + 1);
  if (end < 0) return undefined;
  const body = name.slice(first, end).replace(/[\\\]^[]/g, "\\$&");
  return { source: `[${negated ? "^" : ""}${inOrder(body)}]`, end };
}

/** A range written backwards, as in `[z-a]`, takes nothing; a regular expression would refuse it. */
function inOrder(body: string): string {
  return body.replace(/([^\\])-([^\\])/g, (range, from: string, to: string) => (from <= to ? range : ""));
}
