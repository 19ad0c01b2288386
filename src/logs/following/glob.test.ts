import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Exclusion, expandBraces, Glob } from "./glob.ts";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "glob-"));
});

afterEach(() => {
  rmSync(folder, { recursive: true, force: true });
});

function make(...paths: string[]): void {
  for (const path of paths) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), "");
  }
}

function walk(pattern: string): string[] {
  const found: string[] = [];
  new Glob(join(folder, pattern)).walk({
    visit: (path) => found.push(path.slice(folder.length + 1)),
    report: () => {},
  });
  return found.sort();
}

const cases: [pattern: string, path: string, matches: boolean][] = [
  ["/a/*.log", "/a/b.log", true],
  ["/a/*.log", "/a/b/c.log", false],
  ["/a/*.log", "/a/.log", false],
  ["/a/*.log", "/a/.b.log", false],
  ["/a/.*.log", "/a/.b.log", true],
  ["/a/*", "/a/b.log.1", true],
  ["/a/?.log", "/a/b.log", true],
  ["/a/?.log", "/a/bb.log", false],
  ["/a/[bc].log", "/a/c.log", true],
  ["/a/[!bc].log", "/a/c.log", false],
  ["/a/[^bc].log", "/a/d.log", true],
  ["/a/[a-c]x", "/a/bx", true],
  ["/a/[]x]y", "/a/]y", true],
  ["/a/[z-a]x", "/a/bx", false],
  ["/a/[b", "/a/[b", true],
  ["/a/{b,c}.log", "/a/c.log", true],
  ["/a/{b,c}.log", "/a/d.log", false],
  ["/a/{b/x,c}.log", "/a/b/x.log", true],
  ["/a/{b", "/a/{b", true],
  ["/a/{b}", "/a/{b}", true],
  ["/a/\\*.log", "/a/*.log", true],
  ["/a/\\*.log", "/a/b.log", false],
  ["/a/**/x.log", "/a/x.log", true],
  ["/a/**/x.log", "/a/b/c/x.log", true],
  ["/a/**/x.log", "/a/.b/x.log", false],
  ["/a/**", "/a/b/c", true],
  ["/a/**/*.log", "/a/b/c.log", true],
  ["/a+(b).log", "/a+(b).log", true],
  ["/a/b.log", "/a/b.log", true],
  ["/a/b.log", "/a/b-log", false],
  ["/a/*b*c*", "/a/xxbxxcxx", true],
  ["/a/日*.log", "/a/日本.log", true],
];

test.each(cases)("%s on %s: %p", (pattern, path, matches) => {
  expect(new Glob(pattern).matches(path)).toBe(matches);
});

test("braces nest and keep their order", () => {
  expect(expandBraces("/{a,b{c,d}}/{e,f}")).toEqual(["/a/e", "/a/f", "/bc/e", "/bc/f", "/bd/e", "/bd/f"]);
});

test("walks names, folders and any depth", () => {
  make("a.log", "a.log.1", "b/c.log", "b/d/e.log", ".hidden/x.log", "b/.y.log");
  expect(walk("*.log")).toEqual(["a.log"]);
  expect(walk("a.log*")).toEqual(["a.log", "a.log.1"]);
  expect(walk("*/*.log")).toEqual(["b/c.log"]);
  expect(walk("**/*.log")).toEqual(["a.log", "b/c.log", "b/d/e.log"]);
  expect(walk("{a.log,b/*.log}")).toEqual(["a.log", "b/c.log"]);
});

test("a path without wildcards is visited even before it exists", () => {
  expect(walk("later/app.log")).toEqual(["later/app.log"]);
  expect(walk("later/*.log")).toEqual([]);
  expect(new Glob("/a/b.log").literal).toBe(true);
  expect(new Glob("/a/\\[b].log").literal).toBe(true);
  expect(new Glob("/a/*.log").literal).toBe(false);
});

test("links to folders are followed by name, and a loop of them ends", () => {
  make("real/a.log");
  symlinkSync(join(folder, "real"), join(folder, "link"));
  symlinkSync(folder, join(folder, "real/loop"));
  expect(walk("link/*.log")).toEqual(["link/a.log"]);
  expect(walk("**/*.log")).toEqual(["real/a.log"]);
});

test("a folder that cannot be listed is reported, a missing one is not", () => {
  symlinkSync("turn", join(folder, "turn"));
  const troubles: string[] = [];
  new Glob(join(folder, "turn/*.log")).walk({ visit: () => {}, report: (_, code) => troubles.push(code) });
  new Glob(join(folder, "none/*.log")).walk({ visit: () => {}, report: (_, code) => troubles.push(code) });
  expect(troubles).toEqual(["ELOOP"]);
});

test("exclusions take names and paths", () => {
  const exclusion = new Exclusion(["*.gz", "/var/log/private/**"]);
  expect(exclusion.takes("/var/log/a.log.1.gz")).toBe(true);
  expect(exclusion.takes("/var/log/private/b/c.log")).toBe(true);
  expect(exclusion.takes("/var/log/a.log")).toBe(false);
});
