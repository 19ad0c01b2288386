/** Fields that are made when somebody asks for them, against the same fields made at once. */
import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { ChainRun, type Item, source } from "../../../test/kit/chain.ts";
import { jsonObjects, usualWords } from "../../../test/kit/json-text.ts";
import type { LogRecord } from "../../contracts.ts";
import { LineRecord, linesOf } from "./record.ts";

const counted = ["outrigger_log_redactions_total", "outrigger_log_unparsed_records_total"];

async function outcome(
  items: readonly Item[],
  fields: Record<string, unknown>,
  lines: readonly string[],
  isAtOnce: boolean,
) {
  const run = await ChainRun.of(...items);
  run.source = { ...source, fields };
  run.isAtOnce = isAtOnce;
  const records = run.records(lines.map((line) => `${line}\n`).join(""));
  const known = records.map(({ text, fields, time, severity }: LogRecord) => [text, fields, time, severity]);
  return { late: run.late, said: { written: run.written, known, counts: counted.map((name) => run.counts(name)) } };
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
      const late = await outcome(items, ofSource, lines, false);
      expect(late.said).toEqual((await outcome(items, ofSource, lines, true)).said);
    },
  );
  await fc.assert(cases, { numRuns: 400 });
});

test("makes no difference, however a line is spelled and whatever secrets are in it", async () => {
  const secrets = [
    ...["password=hunter2 ", "Bearer abcdef123456", "4111111111111111", "4111 1111 1111 1111", "jane@mail.test"],
    ...[
      "postgres://app:s3cret@db ",
      "AKIAIOSFODNN7EXAMPLE",
      "the token was refreshed",
      '\\"secret\\":\\"x\\"',
      "[gone]",
    ],
    ...["-----BEGIN PRIVATE KEY-----", "\\u0042earer abcdef123456", "pass\\u0077ord: x", "token: y", "\\nsecret=z"],
    ...["basic dXNlcjpwYXNz", "\\u00basic dXNlcjpwYXNz", "\\u00access_key=x", "123-45-6789"],
  ];
  const names = [
    "password",
    "db.pass-word",
    "apiKey",
    "api\u212aey",
    "x-token",
    "cookie",
    "secretary",
    "jane@mail.test",
    "Bearer abcdef123456",
    "token",
    "cookies",
  ];
  const numbers = [
    "4111111111111111",
    "4111111111111111.0",
    "5500000000000004",
    "30569309025904",
    "0.4111111111111111",
  ];
  const words = {
    ...usualWords,
    parts: [...usualWords.parts, ...secrets, ...secrets],
    names: [...usualWords.names, ...names],
    numbers: [...usualWords.numbers, ...numbers, ...numbers],
  };
  const everything = [
    ...["authorization", "jwt", "aws", "privateKeys", "urls", "keyValues", "tokens", "cards", "emails"],
  ];
  const redactions = fc.constantFrom<Item[]>(
    [{ redact: {} }],
    [{ redact: { secrets: everything, with: "[gone]" } }],
    [{ redact: { fields: ["password", "a", "é"] } }],
    [{ redact: { fields: ["a.b", "b"], secrets: ["cards", "emails"], with: '"' } }],
    [{ redact: { fields: ["a"], with: "password=x" } }],
    [{ redact: { patterns: ["\\d{3}-\\d{2}-\\d{4}", { pattern: "xyz", with: "secret=1" }] } }],
    [{ redact: { secrets: false, patterns: ["^a", "é"] } }],
    [{ redact: {} }, { redact: { fields: ["a", "password"], secrets: ["emails"], with: "-" } }],
    [{ redact: { fields: ["a"], secrets: false } }, { redact: {} }, { redact: { fields: ["b"], secrets: false } }],
  );
  let seen = 0;
  let late = 0;
  const cases = fc.asyncProperty(
    fc.array(jsonObjects(words), { minLength: 1, maxLength: 5 }),
    fields,
    redactions,
    async (lines, ofSource, redaction) => {
      const items = [{ parse: "json" }, ...redaction];
      const left = await outcome(items, ofSource, lines, false);
      expect(left.said).toEqual((await outcome(items, ofSource, lines, true)).said);
      seen += lines.length;
      late += left.late;
    },
  );
  await fc.assert(cases, { numRuns: 500 });
  expect(late).toBeGreaterThan(seen / 6);
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

test("a line that came later and is no JSON does not keep fields of this one from being cut", async () => {
  const record = lineRecord('{"a":1,"password":"p"}');
  const other = new LineRecord(source, 0, Buffer.from('{"password":'));
  expect(other.readLater({ readLate: () => ({}) })).toBe(false);
  expect(record.cutFields([nameOf("password")], Buffer.from('"-"'))).toBe(1);
  const run = await ChainRun.of(
    { parse: "json" },
    { join: { continue: "^ " } },
    { redact: { fields: ["pin"], secrets: false } },
  );
  const texts = run.records('{"a":1,"pin":1234}\n{"pin":\n').map(({ text }) => text);
  expect(texts).toEqual(['{"a":1,"pin":"[redacted]"}', '{"pin":']);
});

test("what reads as redacted is not redacted again, nor counted", async () => {
  const items = [{ parse: "json" }, { redact: { fields: ["a", "a", "password"] } }, { redact: { fields: ["a"] } }];
  const line = '{"a":"[redacted]","b":{"password":"[redacted]","token":"t"},"password":"p"}';
  for (const isAtOnce of [false, true]) {
    const run = await ChainRun.of(...items);
    run.isAtOnce = isAtOnce;
    run.records(`${line}\n`);
    expect(JSON.parse(run.written)).toEqual({
      a: "[redacted]",
      b: { password: "[redacted]", token: "[redacted]" },
      password: "[redacted]",
    });
    const counts = run.counts("outrigger_log_redactions_total");
    expect(Object.values(counts).sort()).toEqual([1, 1]);
  }
});

test("a value of any type under a secret name is replaced whole, in the line and in the fields", async () => {
  const secret = "hunter2";
  const values = [
    ...[`["${secret}"]`, `[["${secret}","]"],{"a":"}"}]`, `{"value":"${secret}","n":[1,2]}`, "[]", "{}"],
    ...["12", "-0.5", "true", "false", `"${secret}"`, '""', '"\\""'],
  ];
  const lines = values.flatMap((value) => [
    `{"a":1,"token":${value},"b":"x"}`,
    `{"list":[{"user":{"dbPassword":${value}}},2]}`,
    `{"cookies":${value}}`,
  ]);
  for (const isAtOnce of [false, true]) {
    const run = await ChainRun.of({ parse: "json" }, { redact: {} });
    run.isAtOnce = isAtOnce;
    const records = run.records(lines.map((line) => `${line}\n`).join(""));
    expect(run.late > 0).toBe(!isAtOnce);
    const expected = values.flatMap(() => [
      { a: 1, token: "[redacted]", b: "x" },
      { list: [{ user: { dbPassword: "[redacted]" } }, 2] },
      { cookies: "[redacted]" },
    ]);
    expect(records.map(({ fields }) => fields)).toEqual(expected);
    expect(records.map(({ text }) => JSON.parse(text))).toEqual(expected);
    expect(run.count("outrigger_log_redactions_total")).toBe(lines.length);
  }
  const none = await ChainRun.of({ parse: "json" }, { redact: {} });
  expect(none.records('{"password":null}\n')[0]!.fields).toEqual({ password: null });
});

test("secrets in names of fields are replaced, and no field is lost by that", async () => {
  const line = '{"seen":{"Bearer abcdef123456":1,"x":2,"Bearer abcdef654321":3},"at":"password=x"}';
  for (const isAtOnce of [false, true]) {
    const run = await ChainRun.of({ parse: "json" }, { redact: {} });
    run.isAtOnce = isAtOnce;
    const [record] = run.records(`${line}\n`);
    const expected = { seen: { "Bearer [redacted]": 1, x: 2, "Bearer [redacted] 2": 3 }, at: "password=[redacted]" };
    expect(record!.fields).toEqual(expected);
    expect(record!.text).toBe(JSON.stringify(expected));
    expect(run.counts("outrigger_log_redactions_total")).toEqual({
      '[["input","app"],["transform","redact-1"],["kind","authorization"]]': 2,
      '[["input","app"],["transform","redact-1"],["kind","keyValues"]]': 1,
    });
  }
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
