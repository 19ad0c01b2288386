import { expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { cases } from "./cases.ts";
import { check, WrongLines } from "./checks.ts";
import { beginsRecord, json, LINE_BYTES, mark, PERIOD, secret, spacedJson, sumOf, writeLines } from "./lines.ts";
import { OutputFile } from "./output.ts";

const folder = mkdtempSync(join(tmpdir(), "bench-cases-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const COUNT = 3 * PERIOD;

function output(text: string): OutputFile {
  const path = join(folder, "out");
  writeFileSync(path, text);
  return new OutputFile(path);
}

/** What a collector that does everything right would write. */
const right: Record<string, () => string[]> = {
  "raw-file": () => lines(cases[0]!.kind.line),
  json: () => lines((i) => `${JSON.stringify({ ...JSON.parse(json.line(i)), password: "[redacted]", more: 1 })}\n`),
  "json-spaced": () =>
    lines((i) => `${JSON.stringify({ ...JSON.parse(spacedJson.line(i)), password: "[redacted]" })}\n`),
  java: () => {
    const kind = cases.find(({ name }) => name === "java")!.kind;
    const records: string[] = [];
    for (let i = 0; i < COUNT; i++) {
      const line = kind.line(i).slice(0, -1);
      if (beginsRecord(i)) records.push(line);
      else records[records.length - 1] += `\n${line}`;
    }
    return records.map((message) => `${JSON.stringify({ message })}\n`);
  },
};

function lines(line: (i: number) => string): string[] {
  return Array.from({ length: COUNT }, (_, i) => line(i));
}

for (const one of cases.filter(({ name }) => name in right)) {
  const made = right[one.name]!();

  test(`${one.name}: every line is ${LINE_BYTES} bytes long, and carries its number`, () => {
    const file = writeLines(one.kind, join(folder, "lines"), 0, COUNT);
    const text = readFileSync(file.path, "latin1");
    expect(file.bytes).toBe(COUNT * LINE_BYTES);
    expect(text.split("\n").every((line, i) => line.includes(mark(i)) || i === COUNT)).toBe(true);
    expect(text.split("\n").filter((line) => line.length !== LINE_BYTES - 1)).toEqual([""]);
    expect(sumOf(one.kind, COUNT).bytes).toBe(file.bytes);
  });

  test(`${one.name}: what is right is taken, and its sum kept`, async () => {
    const sum = await check(one, output(made.join("")), COUNT);
    expect(sum).toEqual(await output(made.join("")).sum());
  });

  test.each([
    ["one missing", () => made.toSpliced(7, 1)],
    ["the last missing", () => made.slice(0, -1)],
    ["one twice", () => made.toSpliced(7, 0, made[7]!)],
    ["two swapped", () => made.toSpliced(7, 2, made[8]!, made[7]!)],
    ["a byte changed", () => made.toSpliced(7, 1, made[7]!.replace("shop", "sHop"))],
  ])(`${one.name}: %s is found`, async (_, wrong) => {
    await expect(check(one, output(wrong().join("")), COUNT)).rejects.toThrow(WrongLines);
  });
}

test("white space is where Python has it", () => {
  expect(spacedJson.line(7)).toMatch(/^{"time": "\S+", "level": "\w+", .*, "message": "order accepted \.*"}\n$/);
});

test("a password that is still there is found", async () => {
  const one = cases.find(({ name }) => name === "json")!;
  const leaky = right.json!().toSpliced(3, 1, json.line(3));
  expect(leaky[3]).toContain(secret(3));
  await expect(check(one, output(leaky.join("")), COUNT)).rejects.toThrow("record 3 has another password");
});

test("the end of a file counts only once its line is whole", async () => {
  expect(await output("one\ntwo").endsWith("two")).toBe(false);
  expect(await output("one\ntwo\n").endsWith("two")).toBe(true);
  expect(await new OutputFile(join(folder, "none")).endsWith("two")).toBe(false);
});
