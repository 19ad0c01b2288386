import { expect, test } from "bun:test";
import { join } from "node:path";
import { asBytes, asShare, Misuse } from "./command-line.ts";

function bench(...words: string[]): { code: number; out: string; err: string } {
  const ran = Bun.spawnSync([process.execPath, join(import.meta.dir, "main.ts"), ...words]);
  return { code: ran.exitCode, out: String(ran.stdout), err: String(ran.stderr) };
}

test.each(["--help", "-h"])("%s prints the usage", (word) => {
  const { code, out, err } = bench(word);
  expect({ code, err }).toEqual({ code: 0, err: "" });
  expect(out).toStartWith("usage: npm run bench -- COMMAND");
});

test.each([
  ["no command", [], "usage: npm run bench -- COMMAND"],
  ["an unknown command", ["htttp"], "no command is called htttp; there are http, "],
  ["an unknown option", ["logs", "--rouds", "3"], "Unknown option '--rouds'; `npm run bench -- --help`"],
  ["an option without its value", ["logs", "--rounds"], "Option '--rounds <value>' argument missing; "],
  ["a number that is none", ["logs", "--rounds", "few"], "--rounds must be a number above 0"],
  ["a word too many", ["logs", "raw-file"], "logs takes no raw-file"],
  ["compare without a revision", ["compare"], "compare takes one revision"],
  ["an unknown point", ["logs", "--point", "raw"], "no point is called raw; there are raw-file, "],
])("%s ends with 2, a sentence and no stack", (_, words, sentence) => {
  const { code, out, err } = bench(...words);
  expect({ code, out }).toEqual({ code: 2, out: "" });
  expect(err).toStartWith(sentence);
  expect(err).not.toMatch(/^\s+at /m);
});

test("sizes and shares carry their unit", () => {
  expect([asBytes("bytes", "3MiB"), asShare("threshold", "2.5 %")]).toEqual([3 * 2 ** 20, 0.025]);
  expect(() => asBytes("bytes", "3")).toThrow(Misuse);
  expect(() => asShare("threshold", "3")).toThrow(Misuse);
});
