import { describe, expect, test } from "bun:test";
import { main } from "./main.ts";
import { commands } from "./registry.gen.ts";
import { version } from "./version.ts";

async function outrigger(...words: string[]) {
  const told = { out: "", err: "" };
  const code = await main(words, {
    env: {},
    clock: { now: () => 0, wall: () => 0 },
    random: () => 0,
    colours: false,
    out: (text) => {
      told.out += text;
    },
    err: (text) => {
      told.err += text;
    },
  });
  return { code, ...told };
}

describe("the command line", () => {
  test("prints its version, by word and by option", async () => {
    const expected = { code: 0, out: `${version}\n`, err: "" };
    expect(await outrigger("version")).toEqual(expected);
    expect(await outrigger("--version")).toEqual(expected);
    expect(await outrigger("-V")).toEqual(expected);
  });

  test("lists every command in its help", async () => {
    const { code, out } = await outrigger("--help");
    expect(code).toBe(0);
    for (const name of Object.keys(commands)) expect(out).toMatch(new RegExp(`^  ${name}\\b`, "m"));
  });

  test.each([
    [[], /^Usage: outrigger/],
    [["chek"], /^error: unknown command 'chek'\n\(Did you mean check\?\)\n$/],
    [["version", "--al"], /^error: unknown option '--al'\n$/],
    [["version", "now"], /^error: too many arguments for 'version'. Expected 0 arguments but got 1.\n$/],
    [["run", "--config"], /^error: option '-c, --config <file>' argument missing\n$/],
    [["run", "--log-format", "xml"], /^--log-format xml: write json or text\n$/],
  ])("answers %j with usage and exit code 2", async (words, err) => {
    const result = await outrigger(...words);
    expect(result).toEqual({ code: 2, out: "", err: expect.stringMatching(err) });
  });

  test("tells a person's mistake without a stack, with its own exit code", async () => {
    const { code, err } = await outrigger("check", "-c", "/no/such/file.yaml");
    expect(code).toBe(1);
    expect(err).toContain("/no/such/file.yaml");
    expect(err).not.toMatch(/^\s+at /m);
  });
});

describe.each(Object.keys(commands))("the command %s", (name) => {
  test("is named after its file, documented, and its options after their long flags", async () => {
    const command = (await commands[name]!()).default;
    expect([command.kind, command.name]).toEqual(["command", name]);
    expect(command.doc).toMatch(/^[A-Z].*\.$/);
    for (const [key, { kind, flags, doc }] of Object.entries(command.options ?? {})) {
      const long = /--([a-z-]+)/.exec(flags)![1]!;
      expect(key).toBe(long.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase()));
      expect(/<\w.*>$/.test(flags)).toBe(kind !== "flag");
      expect(flags.includes("...")).toBe(kind === "list");
      expect(doc).not.toBe("");
    }
  });

  test("shows its help", async () => {
    const { code, out, err } = await outrigger(name, "--help");
    expect({ code, err }).toEqual({ code: 0, err: "" });
    expect(out).toStartWith(`Usage: outrigger ${name}`);
  });
});
