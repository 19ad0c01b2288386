import { beforeEach, describe, expect, test } from "bun:test";
import type { Block, JoinTransform, LogRecord, LogTransform } from "../../contracts.ts";
import { MetricsRegion } from "../../metrics.ts";
import { logMetrics } from "../declarations.ts";
import { plainBlock } from "../plain-block.ts";
import { Chain, type Passed } from "./chain.ts";
import { ChainCounters } from "./chain-counters.ts";
import type { LineRecord } from "./record.ts";

const source = { id: "1", input: "app", path: "/app.log", fields: {} };

let events: string[];
let metrics: MetricsRegion;

beforeEach(() => {
  events = [];
  metrics = new MetricsRegion(logMetrics, { strict: true });
});

function chain(...transforms: LogTransform[]): Chain {
  const thread = {
    clock: { now: () => 0, wall: () => 0 },
    emit: (event: string) => void events.push(event),
    metrics,
  };
  const links = transforms.map((transform, at) => ({ name: `t${at}`, transform }));
  return new Chain(links, new ChainCounters("app", thread));
}

function count(metric: string): number {
  return metrics.series.filter(({ name }) => name === metric).reduce((sum, { slot }) => sum + metrics.values[slot]!, 0);
}

function texts({ block }: Passed): string[] {
  return block.records.map(({ text }) => text);
}

const block = (text: string, start = 0): Block => plainBlock(source, Buffer.from(text), start);

/** Joins lines that begin with a space to the one before. */
const indented: JoinTransform<{ first: LineRecord | undefined }> = {
  quietMs: 1_000,
  start: () => ({ first: undefined }),
  copy: ({ first }) => ({ first: first?.clone() }),
  take(state, record, emit) {
    if (state.first !== undefined && record.text.startsWith(" ")) state.first.append(record as LineRecord);
    else {
      if (state.first !== undefined) emit(state.first);
      state.first = record as LineRecord;
    }
  },
  flush(state, emit) {
    if (state.first !== undefined) emit(state.first);
    state.first = undefined;
  },
  waiting: ({ first }) => (first === undefined ? [] : [first]),
};

const shout = {
  apply(record: LogRecord) {
    record.text = record.text.toUpperCase();
    return true;
  },
};

describe("transforms of single records", () => {
  test("are applied in order; what one leaves out is counted, with the bytes it had in the source", () => {
    const drop = { apply: ({ text }: LogRecord) => text !== "B" };
    const passed = chain(shout, drop).pass(block("a\nb\r\nc\n"), undefined);
    expect(texts(passed)).toEqual(["A", "C"]);
    expect(Buffer.from(passed.block.bytes).toString()).toBe("A\nC\n");
    expect([passed.block.droppedBytes, passed.block.size]).toEqual([3, 7]);
    expect([count("outrigger_log_dropped_records_total"), count("outrigger_log_dropped_record_bytes_total")]).toEqual([
      1, 3,
    ]);
  });

  test("that fail leave the record as it is; that is counted each time and said once", () => {
    const fail = {
      apply(): boolean {
        throw new Error("broken");
      },
    };
    const passed = chain(fail, shout).pass(block("a\nb\n"), undefined);
    expect(texts(passed)).toEqual(["A", "B"]);
    expect(count("outrigger_log_transform_failures_total")).toBe(2);
    expect(events).toEqual(["log_transform_failed"]);
  });

  test("a block of which nothing is left is still one, up to the end of the lines, and gives the lines' block back", () => {
    let released = 0;
    const raw = { ...block("a\n", 7), release: () => void released++ };
    const { block: made, waiting } = chain({ apply: () => false }).pass(raw, undefined);
    expect([made.count, made.bytes.length, made.start, made.end, waiting]).toEqual([0, 0, 7, 9, undefined]);
    made.release();
    expect(released).toBe(1);
  });

  test("lines that are no UTF-8 are counted", () => {
    chain(shout).pass(plainBlock(source, Buffer.from([0x61, 0x0a, 0xff, 0x0a, 0xc3, 0x28, 0x0a])), undefined);
    expect(count("outrigger_log_invalid_utf8_lines_total")).toBe(2);
  });
});

describe("what waits for more lines", () => {
  test("is not done with: the mark stays before it, over several blocks", () => {
    const joins = chain(indented, shout);
    const one = joins.pass(block("a\nb\n 1\n", 100), undefined);
    expect([texts(one), one.block.start, one.block.end]).toEqual([["A"], 100, 102]);
    const two = joins.pass(block(" 2\n", 107), one.waiting);
    expect([texts(two), two.block.start, two.block.end]).toEqual([[], 102, 102]);
    const three = joins.pass(block("c\n", 110), two.waiting);
    expect([texts(three), three.block.start, three.block.end]).toEqual([["B\n 1\n 2"], 102, 110]);
    const last = joins.flush(source, three.waiting!);
    expect([texts(last), last.block.start, last.block.end, last.waiting]).toEqual([["C"], 110, 112, undefined]);
  });

  test("outlives the memory of its block", () => {
    const bytes = Buffer.from("a\n");
    const joins = chain(indented);
    const { waiting } = joins.pass(plainBlock(source, bytes), undefined);
    bytes.fill("x");
    expect(texts(joins.flush(source, waiting!))).toEqual(["a"]);
  });

  test("is a snapshot: one output goes on with it whatever another made of it", () => {
    const joins = chain(indented, shout);
    const { waiting } = joins.pass(block("a\n"), undefined);
    expect(texts(joins.pass(block(" 1\nb\n", 2), waiting))).toEqual(["A\n 1"]);
    expect(texts(joins.pass(block(" 2\nb\n", 2), waiting))).toEqual(["A\n 2"]);
    expect(texts(joins.flush(source, waiting!))).toEqual(["A"]);
  });

  test("and what came out is the same object for the next output that is as far", () => {
    const joins = chain(indented, shout);
    const raw = block("a\nb\n");
    const first = joins.pass(raw, undefined);
    expect(joins.pass(raw, undefined)).toBe(first);
    expect(joins.flush(source, first.waiting!)).toBe(joins.flush(source, first.waiting!));
    joins.forget();
    expect(joins.pass(raw, undefined)).not.toBe(first);
  });

  test("comes out when a join cannot go on with it", () => {
    const failing = {
      ...indented,
      copy(): { first: LineRecord | undefined } {
        throw new Error("broken");
      },
    };
    const joins = chain(failing);
    const { waiting } = joins.pass(block("a\n"), undefined);
    expect(texts(joins.pass(block(" 1\nb\n", 2), waiting))).toEqual(["a", " 1"]);
  });

  test("comes out, and what came with it, when a join fails", () => {
    const failing = {
      ...indented,
      take(state: { first: LineRecord | undefined }, record: LogRecord, emit: (record: LogRecord) => void) {
        if (record.text === "bad") throw new Error("broken");
        indented.take(state, record, emit);
      },
    };
    const joins = chain(failing);
    const passed = joins.pass(block("a\n 1\nbad\nb\n"), undefined);
    expect(texts(passed)).toEqual(["a\n 1", "bad"]);
    expect(texts(joins.flush(source, passed.waiting!))).toEqual(["b"]);
  });
});

test("bytes that were dropped count with the block in whose range they lie", () => {
  const drop = { apply: ({ text }: LogRecord) => !text.startsWith("x") };
  const joins = chain(drop, indented);
  const one = joins.pass(block("xx\na\nxxx\n"), undefined);
  expect([one.block.start, one.block.end, one.block.droppedBytes]).toEqual([0, 3, 3]);
  const two = joins.pass(block("x\nb\n", 9), one.waiting);
  expect([two.block.start, two.block.end, two.block.droppedBytes]).toEqual([3, 11, 6]);
  const last = joins.flush(source, two.waiting!).block;
  expect([last.start, last.end, last.droppedBytes]).toEqual([11, 13, 0]);
});
