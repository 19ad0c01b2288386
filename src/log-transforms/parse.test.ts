import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { ChainRun } from "../../test/kit/chain.ts";
import { goldenPairs } from "../../test/kit/golden.ts";
import type { LogRecord } from "../contracts.ts";

/** Time, severity and fields of a record; its text where it was not parsed. */
function shown({ time, severity, fields, text }: LogRecord): string {
  if (fields === undefined) return `not parsed: ${text}\n`;
  return `${time ?? "-"} ${severity ?? "-"} ${JSON.stringify(fields)}\n`;
}

describe("lines are parsed", () => {
  for (const { name, input, check } of goldenPairs("parse")) {
    test(name, async () => {
      const run = await ChainRun.of({ parse: name });
      const records = run.records(input);
      check(records.map(shown).join(""));
      const failed = records.filter(({ fields }) => fields === undefined);
      expect(run.count("outrigger_log_unparsed_records_total")).toBe(failed.length);
      expect(failed.length).toBeGreaterThan(0);
    });
  }
});

const only = async (options: unknown, line: string) => (await ChainRun.of({ parse: options })).records(`${line}\n`)[0];

describe("by a regular expression of one's own", () => {
  const regex = "^(?<level>\\w+)(?: (?<id>\\d+))? (?<message>.*)$";

  test("named groups are fields; one that took no part has none", async () => {
    expect(await only({ regex }, "WARN 7 seven")).toMatchObject({
      fields: { level: "WARN", id: "7", message: "seven" },
      severity: "warn",
    });
    expect((await only({ regex }, "INFO none"))?.fields).toEqual({ level: "INFO", message: "none" });
  });

  test("not on text above 64 KiB, however the expression backtracks", async () => {
    const run = await ChainRun.of({ parse: { regex: "^(?<all>(a+)+)$" } });
    expect(run.records(`${"a".repeat(65_537)}!\n`)[0]?.fields).toBeUndefined();
    expect(run.count("outrigger_log_unparsed_records_total")).toBe(1);
  });
});

describe("where fields go", () => {
  test("under a field of their own, the text beside them", async () => {
    const options = { format: "json", into: "app", original: "raw" };
    expect((await only(options, '{"a":1}'))?.fields).toEqual({ app: { a: 1, raw: '{"a":1}' } });
  });

  test("out of a field that an earlier transform left, which gives way", async () => {
    const run = await ChainRun.of({ parse: "json" }, { parse: { format: "json", field: "log" } });
    const [nested, plain, none] = run.records(
      `${JSON.stringify({ host: "h", log: '{"a":1}' })}\n${JSON.stringify({ log: "text" })}\n{}\n`,
    );
    expect([nested?.fields, plain?.fields, none?.fields]).toEqual([{ host: "h", a: 1 }, { log: "text" }, {}]);
  });

  test("out of a field within a field, into another", async () => {
    const run = await ChainRun.of({ parse: "json" }, { parse: { format: "logfmt", field: "a.b", into: "c" } });
    expect(run.records(`${JSON.stringify({ a: { b: "x=1", d: 2 } })}\n`)[0]?.fields).toEqual({
      a: { d: 2 },
      c: { x: "1" },
    });
  });
});

describe("what has another form", () => {
  test("can be left out, which is counted twice: as unparsed, and as dropped", async () => {
    const run = await ChainRun.of({ parse: { format: "json", onFailure: "drop" } });
    expect(run.records("plain\n{}\n")).toHaveLength(1);
    expect(run.count("outrigger_log_unparsed_records_total")).toBe(1);
    expect(run.count("outrigger_log_dropped_records_total")).toBe(1);
  });
});

describe("time and severity", () => {
  test("from fields of one's own", async () => {
    const time = { field: "at.when", format: "%d.%m.%Y %H:%M:%S,%f", zone: "Europe/Berlin" };
    const severity = { field: "sev", words: { Chatty: "debug" } };
    const options = { format: "json", time, severity };
    const line = { at: { when: "26.11.2026 11:00:00,25" }, sev: "CHATTY", level: "error" };
    const record = await only(options, JSON.stringify(line));
    expect([record?.time, record?.severity]).toEqual([
      BigInt(Date.UTC(2026, 10, 26, 10, 0, 0, 250)) * 1_000_000n,
      "debug",
    ]);
  });

  test("are not looked for when switched off, not even where the form has its own", async () => {
    const options = { format: "klog", time: false, severity: false };
    expect(await only(options, "I1126 10:00:00.1 1 c.go:2] m")).toMatchObject({ time: undefined, severity: undefined });
  });
});

describe("whatever the text", () => {
  const kinds = ["json", "logfmt", "nginx", "apache", "klog", "syslog"];
  const pieces = [
    "<34>1 ",
    "Nov 26 10:00:00 ",
    "2026-11-26T10:00:00Z ",
    '[a b="',
    '\\"',
    "] ",
    '"GET / HTTP/1.1" ',
    "200 12 ",
    "1.2.3.4 - - [26/Nov/2026:10:00:00 +0000] ",
    "I1126 10:00:00.1 1 a.go:1] ",
    "a=1 ",
    '{"a":',
    "}",
    "[core:error] ",
    " ",
  ];
  const texts = fc.oneof(
    fc.string({ unit: "binary", maxLength: 200 }),
    fc.array(fc.constantFrom(...pieces), { maxLength: 12 }).map((parts) => parts.join("")),
  );

  for (const kind of kinds) {
    test(`${kind} fails no record and changes no prototype`, async () => {
      const run = await ChainRun.of({ parse: kind });
      fc.assert(
        fc.property(texts, (text) => {
          const line = text.replaceAll("\n", " ");
          const [record] = run.records(`${line}\n`);
          expect(run.count("outrigger_log_transform_failures_total")).toBe(0);
          if (record?.fields !== undefined) expect(JSON.stringify(record.fields)).toBeString();
        }),
        { numRuns: 400 },
      );
      expect(Object.keys(Object.prototype)).toEqual([]);
    });

    test(`${kind} takes time that grows with the length of the text`, async () => {
      const run = await ChainRun.of({ parse: kind });
      const started = performance.now();
      for (const piece of pieces) run.records(`${piece.repeat(Math.ceil(100_000 / piece.length))}\n`);
      expect(performance.now() - started).toBeLessThan(3_000);
    });
  }
});
