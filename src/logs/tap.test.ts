import { describe, expect, test } from "bun:test";
import type { Block, Lane, LogRecord, LogSource } from "../contracts.ts";
import { plainBlock } from "./plain-block.ts";
import { LineRecord, RecordBlock } from "./shaping/record.ts";
import { Tail } from "./tail.ts";
import { type TapFilter, Taps } from "./tap.ts";

const source = (id: string, path: string, input = "app"): LogSource => ({ id, input, path, fields: {} });
const a = source("a", "/log/a.log");

function block(from: LogSource, text: string, start = 0): Block {
  return plainBlock(from, Buffer.from(text), start);
}

/** Taps in this thread, with a lane for each output. */
function watched() {
  const tails: Tail[] = [];
  const offered: Block[] = [];
  const taps = new Taps(() => {
    for (const tail of tails) tail.wake();
  });
  const lane = (output: string): Lane =>
    taps.through({ output, room: 7, offer: (one: Block) => void offered.push(one) });
  const tail = (filter: Partial<TapFilter> = {}): Tail => {
    const id = tails.length;
    const made = new Tail({ format: "text", ...filter }, () => taps.close(id));
    taps.open(id, made.filter, made.memory);
    tails.push(made);
    return made;
  };
  return { taps, lane, tail, offered };
}

async function next(tail: Tail): Promise<string> {
  return Buffer.from((await tail.next()) ?? "").toString();
}

describe("a lane that is watched", () => {
  test("hands on every block itself, whoever watches", () => {
    const { lane, tail, offered } = watched();
    const first = block(a, "1\n");
    lane("stdout").offer(first);
    tail();
    const second = block(a, "2\n", 2);
    lane("stdout").offer(second);
    expect(offered).toEqual([first, second]);
    expect(offered[0]).toBe(first);
    expect([lane("stdout").output, lane("stdout").room]).toEqual(["stdout", 7]);
  });

  test("shows lines from then on, as text or with where they come from", async () => {
    const { lane, tail } = watched();
    lane("stdout").offer(block(a, "before\n"));
    const [text, json] = [tail(), tail({ format: "json" })];
    lane("stdout").offer(block(a, 'one\nt"wo\n', 7));
    expect(await next(text)).toBe('one\nt"wo\n');
    const from = '{"input":"app","output":"stdout","path":"/log/a.log"';
    expect(await next(json)).toBe(`${from},"line":"one"}\n${from},"line":"t\\"wo"}\n`);
  });

  test("shows records as outputs of lines write them", async () => {
    const { lane, tail } = watched();
    const tailed = tail();
    const record: LogRecord = new LineRecord(a, 0, Buffer.from('{"a":1}'));
    record.fields = { a: 2 };
    lane("stdout").offer(new RecordBlock([record], { source: a, start: 0, mark: { offset: 8 }, heldBytes: 8 }));
    expect(await next(tailed)).toBe('{"a":2}\n');
  });

  test("shows a line once when it goes to several outputs, and to each that is asked for", async () => {
    const { lane, tail } = watched();
    const [all, central] = [tail(), tail({ output: "central" })];
    const both = block(a, "1\n2\n");
    lane("stdout").offer(both);
    lane("central").offer(both);
    lane("central").offer(block(a, "3\n", 4));
    lane("stdout").offer(block(a, "3\n", 4));
    expect(await next(all)).toBe("1\n2\n3\n");
    expect(await next(central)).toBe("1\n2\n3\n");
  });

  test.each([
    [{ input: "app" }, "a\nb\n"],
    [{ input: "-" }, "record\n"],
    [{ path: "b.*" }, "b\n"],
    [{ path: "/log/*.log" }, "a\nb\n"],
    [{ path: "/log/*.log", input: "-" }, undefined],
  ])("shows only what fits %p", async (filter, expected) => {
    const { lane, tail } = watched();
    const tailed = tail(filter);
    const last = tail();
    const out = lane("stdout");
    out.offer(block(a, "a\n"));
    out.offer(block(source("b", "/log/b.log"), "b\n"));
    out.offer(block(source("c", "access", "-"), "record\n"));
    expect(await next(last)).toBe("a\nb\nrecord\n");
    if (expected !== undefined) expect(await next(tailed)).toBe(expected);
    tailed.close();
    expect(await tailed.next()).toBeUndefined();
  });
});

describe("a reader that is too slow", () => {
  test("misses lines, is told how many, and holds up nothing", async () => {
    const { lane, tail, offered } = watched();
    const slow = tail();
    const line = `${"x".repeat(1023)}\n`;
    const lines = 1_000;
    for (let at = 0; at < lines; at++) lane("stdout").offer(block(a, line, at * line.length));
    expect(offered).toHaveLength(lines);
    const shown = await next(slow);
    const kept = shown.length / line.length;
    expect(kept).toBe(512);
    expect(await next(slow)).toBe(`[outrigger: ${lines - kept} lines not shown, more passed than this reader took]\n`);
    lane("stdout").offer(block(a, "again\n", lines * line.length));
    expect(await next(slow)).toBe("again\n");
  });

  test("is told as an object where it asked for objects", async () => {
    const { lane, tail } = watched();
    const slow = tail({ format: "json" });
    lane("stdout").offer(block(a, `${"y".repeat(600 * 1024)}\nshort\n`));
    expect(await next(slow)).toBe('{"missedLines":2}\n');
  });

  test("that left costs nothing any more", () => {
    const { taps, tail } = watched();
    const one = tail();
    expect(taps.isWatched).toBe(true);
    one.close();
    one.close();
    expect(taps.isWatched).toBe(false);
  });
});
