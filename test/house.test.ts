import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { generate } from "../scripts/gen.ts";
import { fileFaults, houseFaults, missingPaths, sourceFile } from "../scripts/house.ts";

const root = join(import.meta.dirname, "..");

function faultsOf(path: string, text: string): string[] {
  return fileFaults(sourceFile(path, text));
}

describe("the house", () => {
  test("keeps its own rules", async () => {
    expect(await houseFaults(root)).toEqual([]);
  });

  test("has generated files that are up to date", async () => {
    expect(await generate(root, true)).toEqual([]);
  });

  test("has a page whose every path exists", () => {
    expect(missingPaths(root, readFileSync(join(root, "docs/architecture.md"), "utf8"))).toEqual([]);
  });
});

describe("the rules see", () => {
  test("a spine file that reaches into a drop-in folder, also by a late import", () => {
    expect(faultsOf("src/traffic.ts", 'export const f = () => import("./filters/log-access.ts");')).toEqual([
      "src/traffic.ts imports src/filters/log-access.ts: drop-ins are reached through src/registry.gen.ts only",
    ]);
  });

  test("a drop-in that loads something heavy at top level", () => {
    const text = 'import { connect } from "../http/pool.ts"; export const c = connect;';
    expect(faultsOf("src/filters/retry.ts", text)).toHaveLength(1);
    expect(faultsOf("src/filters/retry.ts", 'export const c = () => import("../http/pool.ts");')).toEqual([]);
  });

  test("a neighbour reached into, but not a part they share or a type", () => {
    expect(faultsOf("src/filters/a.ts", 'import b from "./b.ts"; export const c = b;')).toHaveLength(1);
    expect(faultsOf("src/filters/a.ts", 'export const c = () => import("./_b.ts");')).toEqual([]);
    expect(faultsOf("src/filters/a.ts", 'import { b } from "./_b.ts"; export const c = b;')).toHaveLength(1);
    expect(faultsOf("src/filters/a.ts", 'import { b } from "./_b-options.ts"; export const c = b;')).toEqual([]);
    expect(faultsOf("src/traffic.ts", 'import type { B } from "./filters/b.ts"; export const c: B = 1;')).toEqual([]);
  });

  test.each([
    ["console.log(1);", "console."],
    ["export const a = process.env.A;", "process.env"],
    ["export const a = Bun.env;", "Bun.env"],
    ["export const a = Date.now();", "Date.now("],
    ["export const a = new Date();", "new Date"],
    ["export const a = Math.random;", "Math.random"],
    ["process.stdout.write('');", "process.stdout"],
    ["await Bun.connect({});", "Bun.connect("],
    ["await fetch('x');", "fetch("],
  ])("the word in %s", (text, word) => {
    expect(faultsOf("src/http/head.ts", text)).toEqual([expect.stringContaining(`contains ${word}`)]);
  });

  test("words, not comments about them", () => {
    expect(faultsOf("src/http/head.ts", "// console.log is slow; Date.now() too\nexport const a = 1;")).toEqual([]);
  });

  test("a vague or camel-case file name", () => {
    expect(faultsOf("src/http/headUtils.ts", "export const a = 1;")).toHaveLength(1);
    expect(faultsOf("src/http/request-handler.ts", "export const a = 1;")).toHaveLength(1);
  });

  test("a path in the architecture page that is gone", () => {
    expect(missingPaths(root, "see `src/contracts.ts`, `src/*/gone.ts` and `src/gone.ts`")).toEqual([
      "docs/architecture.md names src/*/gone.ts, which does not exist",
      "docs/architecture.md names src/gone.ts, which does not exist",
    ]);
  });
});
