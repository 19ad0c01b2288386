import { beforeEach, describe, expect, test } from "bun:test";
import type { Batch, Block, Delivery } from "../contracts.ts";
import { MetricsRegion } from "../metrics.ts";
import { OutputQueue } from "./batch.ts";
import { logMetrics } from "./declarations.ts";
import { plainBlock } from "./plain-block.ts";

let events: string[];
let rooms: number;
let abort: AbortController;
let done: string[];

beforeEach(() => {
  events = [];
  rooms = 0;
  abort = new AbortController();
  done = [];
});

const owner = {
  acknowledged: (block: Block) => void done.push(Buffer.from(block.bytes).toString()),
};

function block(text: string): Block {
  return plainBlock({ id: "1", input: "i", path: "/p", fields: {} }, Buffer.from(text));
}

function queue(deliver: (batch: Batch) => Promise<Delivery>, batchBytes?: number): OutputQueue {
  const thread = {
    clock: { now: () => 0, wall: () => 0 },
    random: () => 0,
    emit: (event: string) => void events.push(event),
    metrics: new MetricsRegion(logMetrics, { strict: true }),
  };
  const output = batchBytes === undefined ? { deliver } : { deliver, batch: { bytes: batchBytes } };
  return new OutputQueue("out", output, { thread, signal: abort.signal, onRoom: () => rooms++ });
}

const texts = ({ blocks }: Batch) => blocks.map(({ bytes }) => Buffer.from(bytes).toString());
const delivered: Delivery = { outcome: "delivered" };

test("one batch at a time, in order, each as large as wanted; acknowledged only when delivered", async () => {
  const batches: string[][] = [];
  const gates: (() => void)[] = [];
  const out = queue(async (batch) => {
    batches.push(texts(batch));
    await new Promise<void>((open) => gates.push(open));
    return delivered;
  }, 4);
  for (const text of ["aa", "bb", "cc", "dddddd", "e"]) out.offer(block(text), owner);
  const open = async () => {
    await Bun.sleep(0);
    gates.shift()!();
    await Bun.sleep(0);
  };
  await open();
  expect([batches, done]).toEqual([[["aa"], ["bb", "cc"]], ["aa"]]);
  await open();
  await open();
  await open();
  await out.flush();
  expect(batches).toEqual([["aa"], ["bb", "cc"], ["dddddd"], ["e"]]);
  expect(done).toEqual(["aa", "bb", "cc", "dddddd", "e"]);
  expect(out.unsentBytes).toBe(0);
});

test("room goes down with what is held and comes back with acknowledgement; its return is told once", async () => {
  const gate = Promise.withResolvers<Delivery>();
  const out = queue(() => gate.promise);
  out.limitBytes = 1_000;
  out.offer(block("x".repeat(700)), owner);
  expect(out.room).toBeGreaterThan(0);
  out.offer(block("x".repeat(700)), owner);
  expect(out.room).toBeLessThan(0);
  expect(rooms).toBe(0);
  gate.resolve(delivered);
  await out.flush();
  expect([out.room, rooms]).toEqual([1_000, 1]);
});

describe("an output that does not take a batch", () => {
  test("gets the same one again, whether it says so or throws; that is said once", async () => {
    const batches: string[][] = [];
    const out = queue(async (batch) => {
      batches.push(texts(batch));
      if (batches.length === 1) return { outcome: "retry", reason: "busy", afterMs: 1 };
      if (batches.length === 2) throw new Error("broken");
      return delivered;
    });
    out.offer(block("a"), owner);
    await out.flush();
    expect(batches).toEqual([["a"], ["a"], ["a"]]);
    expect(done).toEqual(["a"]);
    expect(events).toEqual(["log_output_failing", "log_output_recovered"]);
  });

  test("for good: its blocks are done with, and counted", async () => {
    const out = queue(async () => ({ outcome: "refused", reason: "too old" }));
    out.offer(block("a"), owner);
    await out.flush();
    expect(done).toEqual(["a"]);
    expect(events).toEqual(["log_batch_refused"]);
  });

  test("and never answers: the abort ends the wait, nothing is acknowledged", async () => {
    const out = queue(() => new Promise(() => {}));
    out.offer(block("a"), owner);
    const flushed = out.flush();
    abort.abort();
    await flushed;
    expect([done, out.unsentBytes]).toEqual([[], 1]);
  });
});
