import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { dropIns, generate } from "../scripts/gen.ts";

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "outrigger-gen-"));
  mkdirSync(join(root, "src/log-outputs"), { recursive: true });
  for (const file of ["stdout.ts", "stdout.test.ts", "_batch.ts", "notes.md", "null.ts"]) {
    writeFileSync(join(root, "src/log-outputs", file), "");
  }
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

test("drop-ins are a folder's files, without tests and shared parts", () => {
  expect(dropIns(join(root, "src/log-outputs"))).toEqual(["null", "stdout"]);
  expect(dropIns(join(root, "src/filters"))).toEqual([]);
});

test("the registry is written once, checked, and stale when a file comes", async () => {
  const registry = join(root, "src/registry.gen.ts");
  expect(await generate(root, true)).toEqual(["src/registry.gen.ts"]);
  expect(await generate(root, false)).toEqual(["src/registry.gen.ts"]);
  expect(readFileSync(registry, "utf8")).toContain('"stdout": () => import("./log-outputs/stdout.ts"),');
  expect(await generate(root, true)).toEqual([]);
  writeFileSync(join(root, "src/log-outputs/loki.ts"), "");
  expect(await generate(root, true)).toEqual(["src/registry.gen.ts"]);
});

test("a folder of a later release has no map until it exists", async () => {
  await generate(root, false);
  const registry = () => readFileSync(join(root, "src/registry.gen.ts"), "utf8");
  expect(registry()).not.toContain("discoveries");
  mkdirSync(join(root, "src/discovery"));
  writeFileSync(join(root, "src/discovery/dns.ts"), "");
  await generate(root, false);
  expect(registry()).toContain('"dns": () => import("./discovery/dns.ts"),');
});
