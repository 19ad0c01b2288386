import { beforeEach, describe, expect, test } from "bun:test";
import type { Block, LogSource } from "../../contracts.ts";
import { MetricsRegion } from "../../metrics.ts";
import { logMetrics } from "../declarations.ts";
import { plainBlock } from "../plain-block.ts";
import { Chain } from "./chain.ts";
import { ChainCounters } from "./chain-counters.ts";
import { TraceJoin } from "./joining/trace-join.ts";
import { traces } from "./joining/traces.ts";
import { Shaping } from "./shaping.ts";

let now: number;
let metrics: MetricsRegion;

beforeEach(() => {
  now = 0;
  metrics = new MetricsRegion(logMetrics, { strict: true });
});

/** A source whose end is known to be further on, or not. */
class FakeSource implements LogSource {
  readonly id = "1";
  readonly input = "app";
  readonly path = "/app.log";
  readonly fields = {};
  isFinal = false;
  unread = 0;

  unreadFor(): number {
    return this.unread;
  }
}

function shaping(): {
  all: Shaping;
  lane: ReturnType<Shaping["lane"]>;
  texts: () => string[];
  room: (room: number) => void;
} {
  const clock = { now: () => now, wall: () => now };
  const cuts = metrics.counter("outrigger_log_join_cuts_total", { input: "app", transform: "join" });
  const limits = { lines: 1_000, bytes: 1 << 20 };
  const join = new TraceJoin({ machines: [traces.java!], quietMs: 1_000, limits, cuts });
  const counters = new ChainCounters("app", { clock, emit: () => {}, metrics });
  const all = new Shaping(new Chain([{ name: "join", transform: join }], counters), clock);
  const blocks: Block[] = [];
  const to = { output: "out", room: 1, offer: (block: Block) => void blocks.push(block) };
  const texts = () => blocks.flatMap(({ records = [] }) => records.map(({ text }) => text));
  return { all, lane: all.lane(to), texts, room: (room) => (to.room = room) };
}

const block = (source: LogSource, text: string, start = 0) => plainBlock(source, Buffer.from(text), start);
const beginning = "a.Error: x\n";
const frame = "\tat a.B\n";

/** Takes turns for so long, as often as the pipeline would. */
function pass(all: Shaping, ms: number): void {
  for (const end = now + ms; now < end; ) {
    now += Math.min(end - now, 50);
    all.turn();
  }
}

describe("what waits for more lines comes out", () => {
  test("after a quiet time, which begins anew with every line", () => {
    const { all, lane, texts } = shaping();
    const source = new FakeSource();
    lane.offer(block(source, beginning));
    pass(all, 900);
    lane.offer(block(source, frame, 11));
    pass(all, 900);
    expect(texts()).toEqual([]);
    expect(all.turn()).toBe(100);
    pass(all, 100);
    expect(texts()).toEqual(["a.Error: x\n\tat a.B"]);
    expect(all.turn()).toBe(Number.POSITIVE_INFINITY);
  });

  test("not while more of it is known to be in the file; five seconds later all the same", () => {
    const { all, lane, texts } = shaping();
    const source = new FakeSource();
    source.unread = 5;
    lane.offer(block(source, beginning));
    pass(all, 5_900);
    expect(texts()).toEqual([]);
    pass(all, 1_200);
    expect(texts()).toEqual(["a.Error: x"]);
  });

  test("not while the output takes nothing, so nothing more could come", () => {
    const { all, lane, texts, room } = shaping();
    lane.offer(block(new FakeSource(), beginning));
    room(0);
    pass(all, 60_000);
    expect(texts()).toEqual([]);
    room(1);
    pass(all, 1_000);
    expect(texts()).toEqual(["a.Error: x"]);
  });

  test("when its file is at its end for good and another one begins, before that", () => {
    const { all, lane, texts } = shaping();
    const [old, next] = [new FakeSource(), new FakeSource()];
    lane.offer(block(old, beginning));
    lane.offer(block(next, "one\n"));
    expect(texts()).toEqual(["one"]);
    old.isFinal = true;
    lane.offer(block(next, "two\n", 4));
    expect(texts()).toEqual(["one", "a.Error: x", "two"]);
    all.finish();
    expect(texts()).toHaveLength(3);
  });

  test("at the end, each source's", () => {
    const { all, lane, texts } = shaping();
    for (const source of [new FakeSource(), new FakeSource()]) lane.offer(block(source, beginning));
    all.finish();
    expect(texts()).toEqual(["a.Error: x", "a.Error: x"]);
  });
});
