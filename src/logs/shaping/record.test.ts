import { expect, test } from "bun:test";
import type { LogRecord } from "../../contracts.ts";
import { plainBlock } from "../plain-block.ts";
import { LineRecord, linesOf, RecordBlock, recordsOf } from "./record.ts";

const source = { id: "1", input: "app", path: "/app.log", fields: { app: "shop" } };

test("each line of a block is a record at its offset, without its line end", () => {
  const records = recordsOf(plainBlock(source, Buffer.from("one\r\n\ntwo\n"), 100));
  expect(records.map(({ offset, text }) => [offset, text])).toEqual([
    [100, "one"],
    [105, ""],
    [106, "two"],
  ]);
});

test("a line that is no UTF-8 goes out byte by byte, as long as its text is only read", () => {
  const bytes = Buffer.from([0x61, 0xff, 0xfe, 0x0a, 0x62, 0x0a]);
  const records = recordsOf(plainBlock(source, bytes));
  expect(records.map(({ text }) => text)).toEqual(["a\ufffd\ufffd", "b"]);
  expect([...linesOf(records)]).toEqual([...bytes]);
});

test("changed text and parsed fields are written out, between lines that stayed", () => {
  const records = recordsOf(plainBlock(source, Buffer.from("a\nb\nc\nd\n")));
  records[1]!.text = "B\nB";
  records[2]!.fields = { n: 1 };
  expect(Buffer.from(linesOf(records)).toString()).toBe('a\nB\nB\n{"app":"shop","n":1}\nd\n');
});

test("no records are no bytes", () => {
  const block = new RecordBlock([], { source, start: 5, mark: { offset: 9 }, heldBytes: 0 });
  expect([block.bytes.length, block.count, block.size, block.end]).toEqual([0, 0, 4, 9]);
});

test("a detached record keeps its text when the memory it was read into is used again", () => {
  const bytes = Buffer.from("before");
  const record = new LineRecord(source, 0, bytes);
  record.detach();
  bytes.fill("x");
  expect(record.text).toBe("before");
});

test("a text looked at in passing is the one its fields make, where it was forgotten how it was written", () => {
  const record = new LineRecord(source, 0, Buffer.from('{"a": 1}'));
  record.fields = { a: 1 };
  record.forgetText();
  expect([record.peek(), record.text]).toEqual(['{"a":1}', '{"a":1}']);
});

test("a time is read when it is asked for; a value that is none leaves the time as it was", () => {
  const record = new LineRecord(source, 0, Buffer.from("a"));
  let asked = 0;
  const reader = (value: unknown) => {
    asked++;
    return typeof value === "bigint" ? value : undefined;
  };
  record.readTimeLater(7n, reader);
  expect(asked).toBe(0);
  expect([record.time, record.time, asked]).toEqual([7n, 7n, 1]);
  record.readTimeLater("no time", reader);
  expect([record.time, record.clone().time, asked]).toEqual([7n, 7n, 2]);
});

test("between records there are marks, but not behind bytes that were dropped or before one that another goes on behind", () => {
  const block = plainBlock(source, Buffer.from("a1\nb\na2\nc\n"), 50);
  const marksOf = (records: readonly LogRecord[], end = 60) => {
    const made = new RecordBlock(records, { source, start: 50, mark: { offset: end }, heldBytes: 0, block });
    return records.map((_, item) => made.markBefore(item)?.offset);
  };
  const [a1, b, a2, c] = recordsOf(block) as [LineRecord, LineRecord, LineRecord, LineRecord];
  expect(marksOf([a1, b, a2, c])).toEqual([50, 53, 55, 58]);
  expect(marksOf([a1, b, a2, c], 55)).toEqual([50, 53, 55, undefined]);
  expect(marksOf([a1, a2, c])).toEqual([50, undefined, undefined]);
  expect(marksOf([b, c])).toEqual([undefined, undefined]);
  a1.append(a2);
  expect(marksOf([a1, b, c])).toEqual([50, undefined, 58]);
});
