/** Fields that are made when somebody asks for them, against the same fields made at once. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { ChainRun, type Item, source } from "../../../test/kit/chain.ts";
import type { LogRecord } from "../../contracts.ts";
import { LineRecord, linesOf } from "./record.ts";

/** A line that begins with a space is never taken as it is: its fields are made at once. */
const atOnce = (line: string) => ` ${line}`;

const counted = ["outrigger_log_redactions_total", "outrigger_log_unparsed_records_total"];

async function outcome(items: readonly Item[], fields: Record<string, unknown>, lines: readonly string[]) {
  const run = await ChainRun.of(...items);
  run.source = { ...source, fields };
  const records = run.records(lines.map((line) => `${line}\n`).join(""));
  const known = records.map(({ text, fields, time, severity }: LogRecord) => [
    // As nobody changed it, it may still have its space.
    text.trim(),
    fields,
    time,
    severity,
  ]);
  return { written: Buffer.from(linesOf(records)).toString(), known, counts: counted.map((name) => run.count(name)) };
}

const value = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 3 },
    fc.string({ unit: "grapheme" }),
    fc.integer(),
    fc.double({ noNaN: true }),
    fc.constantFrom(null, true, false, "", "info", "WARN", "2026-11-26T10:00:00.5Z", 1_764_154_800),
    fc.dictionary(fc.constantFrom("b", "password", "a.b"), tie("any")),
    fc.array(tie("any"), { maxLength: 3 }),
  ),
})).any;
const names = fc.constantFrom("a", "b", "a.b", "password", "time", "level", "app", "__proto__", "é", "1", "message");
const line = fc.dictionary(names, value, { maxKeys: 6 }).map((fields) => JSON.stringify(fields));
const fields = fc.constantFrom({}, { app: "shop" }, { app: "shop", é: [1] }, { "1": 1, b: 2 });
const redacted = fc.subarray(["a", "a.b", "a.b.a.b", "password", "time", "level", "é", "__proto__", "b"]);

test("makes no difference, whatever is redacted", async () => {
  const cases = fc.asyncProperty(
    fc.array(line, { minLength: 1, maxLength: 5 }),
    fields,
    redacted,
    fc.constantFrom<Item[]>(
      [],
      [{ remove: ["a"] }],
      [{ redact: { fields: ["level"], secrets: false, with: '"' } }],
      [{ redact: {} }],
    ),
    async (lines, ofSource, named, more) => {
      const items = [{ parse: "json" }, { redact: { fields: named, secrets: false, with: "[gone]" } }, ...more];
      const [late, now] = [await outcome(items, ofSource, lines), await outcome(items, ofSource, lines.map(atOnce))];
      expect(late).toEqual(now);
    },
  );
  await fc.assert(cases, { numRuns: 400 });
});

const one = async (items: readonly Item[], text: string, fields: Record<string, unknown> = {}) => {
  const run = await ChainRun.of(...items);
  run.source = { ...source, fields };
  return run.records(`${text}\n`)[0] as LineRecord;
};

function lineRecord(text: string, fields: Record<string, unknown> = {}): LineRecord {
  const record = new LineRecord({ ...source, fields }, 0, Buffer.from(text));
  const read = { readLate: (_: LineRecord, line: string) => JSON.parse(line) as Record<string, unknown> };
  expect(record.readLater(read)).toBe(true);
  return record;
}

const nameOf = (text: string) => ({ whole: Buffer.from(text), parents: [] });

test("nothing is made while nobody asks", () => {
  const record = lineRecord('{"a":1,"password":"p"}', { app: "shop" });
  expect(record.cutFields([nameOf("password"), nameOf("b")], Buffer.from('"-"'))).toBe(1);
  expect(linesOf([record]).toString()).toBe('{"app":"shop","a":1,"password":"-"}\n');
  expect(record.hasOwnFields).toBe(false);
  expect([record.unchanged, record.place]).toEqual([undefined, undefined]);
  expect([record.byteAt(20), record.begin(30)]).toEqual([34, '{"a":1,"password":"-"}']);
  expect(record.fields).toEqual({ a: 1, password: "-" });
  expect(record.hasOwnFields).toBe(true);
});

test("what is cut twice has what came last, and places stay in order", () => {
  const record = lineRecord('{"a":1,"b":2,"c":3}');
  for (const [name, instead] of [
    ["c", '"x"'],
    ["a", '"y"'],
    ["b", '"z"'],
    ["c", '"w"'],
  ] as const) {
    expect(record.cutFields([nameOf(name)], Buffer.from(instead))).toBe(1);
  }
  expect(record.peek()).toBe('{"a":"y","b":"z","c":"w"}');
  expect(record.text).toBe('{"a":"y","b":"z","c":"w"}');
});

test("another line after it, or a text of its own, leaves the fields as they were", () => {
  const block = Buffer.from('{"a":1}\n{"b":2}\n');
  const lines = [new LineRecord(source, 0, block, 0, 7), new LineRecord(source, 8, block, 8, 15)] as const;
  const read = { readLate: (_: LineRecord, text: string) => JSON.parse(text) as Record<string, unknown> };
  expect(lines.map((record) => record.readLater(read))).toEqual([true, true]);
  lines[0].append(lines[1]);
  expect([lines[0].text, lines[0].fields]).toEqual(['{"a":1}\n{"b":2}', { a: 1 }]);
  lines[1].text = "other";
  expect([lines[1].text, lines[1].fields]).toEqual(["other", { b: 2 }]);
});

test("a record that outlives its block takes its fields along", () => {
  const block = Buffer.from('{"a":1,"password":"p"}');
  const record = new LineRecord(source, 0, block);
  record.readLater({ readLate: (_, text) => JSON.parse(text) as Record<string, unknown> });
  record.cutFields([nameOf("password")], Buffer.from('"-"'));
  const copy = record.clone();
  record.detach();
  block.fill(0xff);
  for (const kept of [record, copy]) {
    expect([kept.text, kept.fields]).toEqual(['{"a":1,"password":"-"}', { a: 1, password: "-" }]);
  }
});

test("bytes that are no UTF-8 are never written as fields", async () => {
  const run = await ChainRun.of({ parse: "json" });
  const records = run.records(Buffer.concat([Buffer.from('{"a":"'), Buffer.of(0xff), Buffer.from('"}\n')]));
  expect(linesOf(records).toString()).toBe('{"a":"\ufffd"}\n');
});

test("a time is that of the line, though its field was redacted since", async () => {
  const redact = { redact: { fields: ["time", "level"], secrets: false } };
  const record = await one([{ parse: "json" }, redact], '{"time":"2026-11-26T10:00:00Z","level":"warn"}');
  expect([record.time, record.severity]).toEqual([BigInt(Date.UTC(2026, 10, 26, 10)) * 1_000_000n, "warn"]);
});

test("fields of the source that changed since, and now have a name of the record's, are those of the source no more", () => {
  const record = lineRecord('{"a":1}', { app: "shop" });
  Object.assign(record, { source: { ...source, fields: { a: 2, app: "shop" } } });
  expect(linesOf([record]).toString()).toBe('{"a":1,"app":"shop"}\n');
});

test("where all records are asked, fields are made at once after a while", async () => {
  const run = await ChainRun.of({ parse: "json" }, { add: { b: 2 } });
  const lines = '{"a":1}\n'.repeat(3_000);
  const records = run.records(lines);
  expect(records.length).toBe(3_000);
  expect(Buffer.from(linesOf(records)).toString()).toBe(lines.replaceAll("1}", '1,"b":2}'));
});
