import { describe, expect, test } from "bun:test";
import { ChainRun, type Item } from "../../test/kit/chain.ts";
import { goldenPairs } from "../../test/kit/golden.ts";
import { seeded, seedOf } from "../../test/kit/random.ts";

/** Records, each line of it behind a mark: `*` begins one. */
function shown(texts: readonly string[]): string {
  return texts.map((text) => `* ${text.replaceAll("\n", "\n| ")}\n`).join("");
}

const linesIn = (text: string) => text.match(/[^\n]*\n/g) ?? [];

describe("stack traces become one record each", () => {
  for (const { name, input, check } of goldenPairs("join")) {
    test(name, async () => {
      const run = await ChainRun.of({ join: name });
      check(shown(run.records(input).map(({ text }) => text)));
    });

    test(`${name}: the same wherever blocks begin`, async () => {
      const random = seeded(seedOf(`join ${name}`));
      const run = await ChainRun.of({ join: name });
      const whole = run.records(input).map(({ text, offset }) => [offset, text]);
      const lines = linesIn(input);
      for (let round = 0; round < 50; round++) {
        const blocks: string[] = [];
        for (let at = 0; at < lines.length; ) {
          const count = 1 + random.whole(random.pick([1, 3, 10]));
          blocks.push(lines.slice(at, at + count).join(""));
          at += count;
        }
        expect(run.records(...blocks).map(({ text, offset }) => [offset, text])).toEqual(whole);
      }
    });
  }

  test("of several languages in one log", async () => {
    const run = await ChainRun.of({ join: { traces: ["java", "python", "go"] } });
    const traces = [
      "java.lang.Error: a\n\tat b.C.d(C.java:1)",
      'Traceback (most recent call last):\n  File "a.py", line 1, in <module>\n    a()\nNameError: a',
      "panic: a\n\ngoroutine 1 [running]:\nmain.main()\n\t/a.go:1",
    ];
    expect(run.records(`${traces.join("\nplain\n")}\n`).map(({ text }) => text)).toEqual(
      [traces[0], "plain", traces[1], "plain", traces[2]].map(String),
    );
  });

  test("lines that stay single stay the bytes they were", async () => {
    const run = await ChainRun.of({ join: "java" });
    const bytes = Buffer.from([0x61, 0xff, 0x0a, 0x20, 0x62, 0x0a]);
    expect(run.records(bytes).map(({ text }) => text)).toEqual(["a\ufffd", " b"]);
  });
});

describe("lines are joined by patterns", () => {
  const rows: [title: string, options: Item, lines: string[], records: string[]][] = [
    [
      "from one start to the next",
      { start: "^\\d" },
      ["x", "1", "a", "b", "2", "3", "c"],
      ["x", "1\na\nb", "2", "3\nc"],
    ],
    ["as long as lines match", { continue: "^\\s" }, [" a", "1", " b", "2", " c", " d"], [" a", "1\n b", "2\n c\n d"]],
    [
      "as long as lines match, from a start",
      { start: "^1", continue: "^\\s" },
      [" a", "1", " b", "2", " c"],
      [" a", "1\n b", "2", " c"],
    ],
    [
      "and one more",
      { start: "\\\\$", continuePast: "\\\\$" },
      ["a\\", "b\\", "c", "d", "e\\", "f"],
      ["a\\\nb\\\nc", "d", "e\\\nf"],
    ],
    [
      "up to before one",
      { start: "^\\[", haltBefore: "^(\\[|--)" },
      ["[1", "a", "--", "b", "[2", "c"],
      ["[1\na", "--", "b", "[2\nc"],
    ],
    [
      "up to one",
      { start: "^select", haltWith: ";$" },
      ["select", "a", "b;", "c", "select d;", "e;"],
      ["select\na\nb;", "c", "select d;\ne;"],
    ],
  ];
  for (const [title, options, lines, records] of rows) {
    test(title, async () => {
      const run = await ChainRun.of({ join: options });
      const text = (parts: readonly string[]) => parts.map((line) => `${line}\n`);
      expect(run.records(text(lines).join("")).map((record) => record.text)).toEqual(records);
      expect(run.records(...text(lines)).map((record) => record.text)).toEqual(records);
    });
  }
});

test("a record that has reached the most lines or bytes is ended, flagged and counted; no line is lost", async () => {
  const run = await ChainRun.of({ join: { traces: "java", maxLines: 3, maxBytes: "1KiB" } });
  const frames = Array.from({ length: 7 }, (_, at) => `\tat a.B.c(B.java:${at})`);
  const records = run.records(`a.Error: x\n${frames.join("\n")}\nend\n`);
  expect(records.map(({ text, isCut }) => [text.split("\n").length, isCut])).toEqual([
    [3, true],
    [3, true],
    [2, false],
    [1, false],
  ]);
  expect(records.map(({ text }) => text).join("\n")).toBe(`a.Error: x\n${frames.join("\n")}\nend`);
  expect(run.count("outrigger_log_join_cuts_total")).toBe(2);
  const long = `\tat ${"x".repeat(600)}`;
  expect(run.records(`a.Error: x\n${long}\n${long}\n`).map(({ text }) => text.length)).toEqual([615, 604]);
});

test("a line beyond 64 KiB is not looked at with patterns", async () => {
  const run = await ChainRun.of({ join: { start: "(a+)+$" } });
  const started = performance.now();
  expect(run.records(`${"a".repeat(70_000)}!\n`)).toHaveLength(1);
  expect(performance.now() - started).toBeLessThan(1_000);
});
