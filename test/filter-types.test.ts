/** What `outrigger types` writes, as a stranger uses it: tsc finds it, and tells right from wrong. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { main } from "../src/main.ts";

const root = join(import.meta.dirname, "..");
let folder: string;
let told = "";

const io = {
  env: {},
  clock: { now: () => 0, wall: () => 0 },
  random: () => 0,
  colours: false,
  out(text: string | Uint8Array) {
    told += text;
  },
  err(text: string) {
    told += text;
  },
};

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "filter-types-"));
  expect(await main(["types", folder], io)).toBe(0);
});
afterAll(() => rmSync(folder, { recursive: true }));

/** tsc's faults, one a line. */
function compile(): string[] {
  const tsc = Bun.spawnSync([join(root, "node_modules/.bin/tsc"), "-p", folder], { cwd: folder });
  return tsc.stdout.toString().split("\n").filter(Boolean);
}

describe("with them", () => {
  test("the samples compile", () => {
    cpSync(join(root, "samples/filters"), join(folder, "samples"), { recursive: true });
    expect(compile()).toEqual([]);
  }, 60_000);

  test("hooks have the types of the options, and wrong ones are faults", () => {
    writeFileSync(
      join(folder, "wrong.ts"),
      `import { defineFilter } from "outrigger";
import * as z from "outrigger/zod";
export default defineFilter({
  phase: "shape",
  config: z.strictObject({ most: z.number() }),
  request(x, { most }) {
    x.setHeader("x-most", most);
  },
  response(x) {
    return { status: String(x.response.status) };
  },
  responseBody(chunk) {
    return "text";
  },
});
export const other = defineFilter({ phase: "shap", request() {} });
`,
    );
    const lines = compile().map((line) => /^wrong\.ts\((\d+)/.exec(line)?.[1]);
    expect(lines.filter((line) => line !== undefined)).toEqual(["7", "9", "12", "16"]);
    rmSync(join(folder, "wrong.ts"));
  }, 60_000);
});

test("what they import of each other is all there", () => {
  for (const name of ["outrigger.d.ts", "contracts.d.ts"]) {
    const text = readFileSync(join(folder, ".outrigger", name), "utf8");
    const imported = [...text.matchAll(/ from "(\..+)"/g)].map(([, path]) => path!);
    expect(imported).not.toBeEmpty();
    expect(imported.filter((path) => !existsSync(join(folder, ".outrigger", path)))).toEqual([]);
  }
});

test("a tsconfig that is there stays, and is told what it needs", async () => {
  const config = join(folder, "tsconfig.json");
  writeFileSync(config, "{}");
  told = "";
  expect(await main(["types", folder], io)).toBe(0);
  expect(readFileSync(config, "utf8")).toBe("{}");
  expect(told).toContain('"outrigger":["./.outrigger/outrigger.d.ts"]');
  expect(existsSync(join(folder, ".outrigger/zod/LICENSE"))).toBe(true);
});

test("a folder that cannot be written is a fault in words", async () => {
  told = "";
  expect(await main(["types", join(folder, "tsconfig.json")], io)).toBe(1);
  expect(told).toMatch(/^types: cannot write to .*tsconfig\.json: /);
});
