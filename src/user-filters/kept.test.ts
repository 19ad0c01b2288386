import { afterEach, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { configOf, listenerOf, respond } from "../../test/kit/engine.ts";
import type { Config, UserFilter } from "../config/schema.ts";
import { keepVersions, keptVersions } from "./kept.ts";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kept-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

function versionOf(code: string, source = "/etc/f.ts"): UserFilter {
  const hash = new Bun.CryptoHasher("sha256").update(code).digest("hex");
  const common = { source, code, hash, number: 1, phase: "shape", directions: ["inbound"], doc: "" } as const;
  return { ...common, name: "f", options: {}, isBlamed: false, onError: "fail", budgetMs: 50 };
}

const config = (...filters: UserFilter[]): Config => configOf([listenerOf({ routes: respond(200), filters })]);
const files = () => readdirSync(join(folder, "filters")).filter((name) => name.endsWith(".js"));

test("what runs is kept, for this user only, and what does not is removed", async () => {
  expect(await keepVersions(folder, config(versionOf("one"), versionOf("other", "/etc/g.ts")))).toBeUndefined();
  expect(files()).toHaveLength(2);
  for (const name of files()) expect(statSync(join(folder, "filters", name)).mode & 0o777).toBe(0o600);
  expect(await keepVersions(folder, config(versionOf("two")))).toBeUndefined();
  expect(files()).toHaveLength(1);
  const kept = await keptVersions(["/nowhere", folder]);
  expect([...kept].map(([source, { code }]) => [source, code])).toEqual([["/etc/f.ts", "two"]]);
});

test("a file that is not what was kept is not used", async () => {
  await keepVersions(folder, config(versionOf("one")));
  const path = join(folder, "filters", files()[0]!);
  writeFileSync(path, `${readFileSync(path, "utf8")} changed`);
  expect((await keptVersions([folder])).size).toBe(0);
  writeFileSync(join(folder, "filters/versions.json"), "[{");
  expect((await keptVersions([folder])).size).toBe(0);
});

test("a folder that cannot be written is said, not thrown", async () => {
  writeFileSync(join(folder, "file"), "");
  expect(await keepVersions(join(folder, "file"), config(versionOf("one")))).toBeString();
});
