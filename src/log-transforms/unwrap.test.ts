import { describe, expect, test } from "bun:test";
import { ChainRun } from "../../test/kit/chain.ts";
import { seeded, seedOf } from "../../test/kit/random.ts";
import type { LogRecord } from "../contracts.ts";

const row = ({ text, time, stream }: LogRecord) => [text, time, stream];
const at = "2026-11-26T10:00:00";
const second = BigInt(Date.UTC(2026, 10, 26, 10)) * 1_000_000n;

describe("cri", () => {
  const log = [
    `${at}.000000001Z stdout F plain`,
    `${at}.123456789Z stdout P one, `,
    `${at}.5Z stderr P other `,
    `${at}.6Z stdout P two, `,
    `${at}.7Z stderr F stream`,
    `${at}.8Z stdout F three`,
    `${at}+02:00 stderr F:tag tagged`,
    `${at}Z stdout F `,
    `${at}Z stdout F`,
    `${at}Z stdout F  two spaces, äöü`,
  ];
  const expected = [
    ["plain", second + 1n, "stdout"],
    ["one, two, three", second + 123_456_789n, "stdout"],
    ["other stream", second + 500_000_000n, "stderr"],
    ["tagged", second - 7_200_000_000_000n, "stderr"],
    ["", second, "stdout"],
    ["", second, "stdout"],
    [" two spaces, äöü", second, "stdout"],
  ];

  test("the line comes out with its time, to the nanosecond; pieces are joined stream by stream", async () => {
    const run = await ChainRun.of({ unwrap: "cri" });
    expect(run.records(`${log.join("\n")}\n`).map(row)).toEqual(expected);
    expect(run.count("outrigger_log_unparsed_records_total")).toBe(0);
  });

  test("wherever blocks begin", async () => {
    const random = seeded(seedOf("cri"));
    const run = await ChainRun.of({ unwrap: "cri" });
    for (let round = 0; round < 100; round++) {
      const blocks = [""];
      for (const line of log) {
        if (random.chance(0.5)) blocks.push("");
        blocks[blocks.length - 1] += `${line}\n`;
      }
      // Of two streams, one may be complete a block earlier.
      const records = run.records(...blocks.filter(Boolean)).sort((a, b) => a.offset - b.offset);
      expect(records.map(row)).toEqual(expected);
    }
  });

  test("lines of another form stay as they are, and are counted", async () => {
    const run = await ChainRun.of({ unwrap: "cri" });
    const others = ["plain", `${at}Z stdlog F x`, `${at}Z stdout X x`, `${at}Z stdoutF x`, `${at} stdout F`, `${at}Z`];
    expect(run.records(`${others.join("\n")}\n`).map(({ text }) => text)).toEqual(
      others.map((line) => (line.startsWith(`${at} stdout`) ? "" : line)),
    );
    expect(run.count("outrigger_log_unparsed_records_total")).toBe(5);
  });

  test("a line that goes on beyond the limit is ended, flagged and counted; nothing of it is lost", async () => {
    const run = await ChainRun.of({ unwrap: { format: "cri", maxBytes: 200 } });
    const piece = (tag: string) => `${at}Z stdout ${tag} ${"x".repeat(40)}`;
    const records = run.records(`${[piece("P"), piece("P"), piece("P"), piece("F"), piece("F")].join("\n")}\n`);
    expect(records.map(({ text, isCut }) => [text.length, isCut])).toEqual([
      [80, true],
      [80, false],
      [40, false],
    ]);
    expect(run.count("outrigger_log_join_cuts_total")).toBe(1);
  });

  test("a piece whose end never comes is a line of its own at last", async () => {
    const run = await ChainRun.of({ unwrap: "cri" });
    expect(run.records(`${at}Z stdout P first\n`).map(({ text }) => text)).toEqual(["first"]);
  });

  test("the stream can stay as a field, beside the message until that is parsed", async () => {
    const unwrap = { format: "cri", stream: "stream" };
    const lines = `${at}Z stderr P {"a"\n${at}Z stderr F :1}\n${at}Z stdout F text\n`;
    const run = await ChainRun.of({ unwrap }, { parse: "json" });
    expect(run.records(lines).map(({ fields }) => fields)).toEqual([
      { stream: "stderr", a: 1 },
      { stream: "stdout", message: "text" },
    ]);
  });

  test("stack traces are joined stream by stream", async () => {
    const run = await ChainRun.of({ unwrap: "cri" }, { join: "java" });
    const lines = ["stderr F a.Error: x", "stdout F hello", "stderr F \tat a.B", "stdout F bye", "stderr F \tat c.D"];
    expect(run.records(lines.map((line) => `${at}Z ${line}\n`).join("")).map(({ text }) => text)).toEqual([
      "hello",
      "bye",
      "a.Error: x\n\tat a.B\n\tat c.D",
    ]);
  });
});

describe("docker", () => {
  const entry = (log: unknown, more = {}) =>
    `${JSON.stringify({ log, stream: "stdout", time: `${at}.25Z`, ...more })}\n`;

  test("the line comes out with its time and stream; a log without a newline goes on", async () => {
    const run = await ChainRun.of({ unwrap: "docker" });
    const lines = [
      entry("one\n"),
      entry("t"),
      entry("wo\n"),
      entry("crlf\r\n"),
      entry("\n"),
      entry("a", { stream: "stderr" }),
    ];
    expect(run.records(...lines).map(row)).toEqual([
      ["one", second + 250_000_000n, "stdout"],
      ["two", second + 250_000_000n, "stdout"],
      ["crlf", second + 250_000_000n, "stdout"],
      ["", second + 250_000_000n, "stdout"],
      ["a", second + 250_000_000n, "stderr"],
    ]);
  });

  test("lines of another form stay as they are, and are counted", async () => {
    const run = await ChainRun.of({ unwrap: "docker" });
    const others = ["plain", "{broken", '{"log":1}', "[1]"];
    expect(run.records(`${others.join("\n")}\n`).map(({ text }) => text)).toEqual(others);
    expect(run.count("outrigger_log_unparsed_records_total")).toBe(4);
  });

  test("attributes can stay as a field", async () => {
    const run = await ChainRun.of({ unwrap: { format: "docker", attributes: "attrs" } });
    expect(run.records(entry("x\n", { attrs: { tag: "web" } })).map(({ fields }) => fields)).toEqual([
      { message: "x", attrs: { tag: "web" } },
    ]);
  });
});
