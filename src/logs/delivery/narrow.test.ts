import { describe, expect, test } from "bun:test";
import { linesIn, source } from "../../../test/kit/queue-run.ts";
import { seeded, seedOf } from "../../../test/kit/random.ts";
import { plainBlock } from "../plain-block.ts";
import { LineRecord, RecordBlock, recordsOf } from "../shaping/record.ts";
import { batchOf, halve, narrow, singles, without } from "./narrow.ts";
import { isPartOf, sourceBytesOf } from "./piece.ts";

const raw = plainBlock(source, Buffer.from("zero\none\r\n\nthree\n"), 100);
const records = new RecordBlock(
  [new LineRecord(source, 200, Buffer.from("four")), new LineRecord(source, 210, Buffer.from("five"))],
  { source, start: 195, mark: { offset: 230 }, heldBytes: 0, droppedBytes: 12 },
);
const batch = batchOf([raw, records]);

const identities = (one: typeof batch) => one.blocks.flatMap(recordsOf).map(({ offset, text }) => [offset, text]);

describe("narrowing", () => {
  test("keeps identity and bytes of each item, over lines and records", () => {
    const part = narrow(batch, [5, 1, 2, 1]);
    expect(identities(part)).toEqual([
      [105, "one"],
      [110, ""],
      [210, "five"],
    ]);
    expect(Buffer.from(part.blocks[0]!.bytes).toString()).toBe("one\r\n\n");
    expect([part.count, part.bytes]).toEqual([3, 6 + 20]);
    expect(part.blocks.map((block) => isPartOf(block, raw))).toEqual([true, false]);
    expect(part.blocks[0]!.bytes.buffer).toBe(raw.bytes.buffer);
  });

  test("to everything is the batch itself, to nothing an empty one; numbers it has not are passed over", () => {
    expect(narrow(batch, [0, 1, 2, 3, 4, 5])).toBe(batch);
    expect(without(batch, [])).toBe(batch);
    expect(narrow(batch, [-1, 6, 0.5]).blocks).toEqual([]);
    expect(without(batch, [0, 1, 2, 3, 4, 5]).blocks).toEqual([]);
  });

  test("whole blocks of it stay what they are", () => {
    expect(narrow(batch, [0, 1, 2, 3]).blocks).toEqual([raw]);
    expect(without(batch, [0, 1, 2, 3]).blocks[0]).toBe(records);
  });

  test("a single item is a block that tells where it comes from", () => {
    expect(singles(batch, [1, 2, 4, 5]).map(({ start, end, count }) => [start, end, count])).toEqual([
      [105, 110, 1],
      [110, 111, 1],
      [195, 210, 1],
      [210, 230, 1],
    ]);
  });
});

test("halves hold all items, in order", () => {
  const [first, second] = halve(batch);
  expect([...identities(first), ...identities(second)]).toEqual(identities(batch));
  expect([first.count, second.count]).toEqual([3, 3]);
});

test("however a batch is cut, its parts hold every item once and stand for the same bytes of the source", () => {
  const random = seeded(seedOf("narrow"));
  for (let round = 0; round < 300; round++) {
    let offset = 0;
    const blocks = Array.from({ length: 1 + random.whole(4) }, () => {
      const lines = Array.from({ length: 1 + random.whole(6) }, () => "x".repeat(random.whole(5)));
      const start = offset;
      if (random.chance(0.5)) {
        const block = plainBlock(source, Buffer.from(lines.map((line) => `${line}\n`).join("")), start);
        offset = block.end;
        return block;
      }
      let droppedBytes = 0;
      const kept = lines.flatMap((line) => {
        const gap = random.whole(4);
        droppedBytes += gap;
        const record = new LineRecord(source, offset + gap, Buffer.from(line));
        offset += gap + line.length + 1;
        return [record];
      });
      return new RecordBlock(kept, { source, start, mark: { offset }, heldBytes: 0, droppedBytes });
    });
    let parts = [batchOf(blocks)];
    const whole = parts[0]!;
    for (let cuts = 0; cuts < 5; cuts++) {
      parts = parts.flatMap((part) => {
        if (part.count < 2) return [part];
        if (random.chance(0.3)) return halve(part);
        const some = Array.from({ length: part.count }, (_, item) => item).filter(() => random.chance(0.5));
        return [narrow(part, some), without(part, some)];
      });
    }
    const items = (one: typeof batch) => identities(one).map(String);
    expect(parts.flatMap(items).sort()).toEqual(items(whole).sort());
    expect(parts.reduce((sum, one) => sum + one.count, 0)).toBe(whole.count);
    const bytes = (one: typeof batch) => one.blocks.reduce((sum, block) => sum + sourceBytesOf(block), 0);
    expect(parts.reduce((sum, one) => sum + bytes(one), 0)).toBe(bytes(whole));
    expect(parts.flatMap(linesIn).sort()).toEqual(linesIn(whole).sort());
  }
});
