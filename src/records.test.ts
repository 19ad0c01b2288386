import { describe, expect, test } from "bun:test";
import type { Config } from "./config/schema.ts";
import { RecordRing } from "./logs/record-ring.ts";
import { MetricsRegion, spineMetrics } from "./metrics.ts";
import { type RecordCollector, Records } from "./records.ts";

const pipeline = (name: string) => ({ name, input: { use: "files", options: {} }, outputs: [] });

function config(names: string[] = [], print?: "body" | "none"): Config {
  const schedules = print === undefined ? [] : [{ print }];
  return { logs: names.map(pipeline), schedules } as unknown as Config;
}

/** Records whose collector starts when the test says so. */
function records() {
  const done: string[] = [];
  const events: string[] = [];
  const metrics = new MetricsRegion(spineMetrics, { strict: true });
  const starts: PromiseWithResolvers<void>[] = [];
  let full = false;
  const namesOf = (logs: Config["logs"]) => logs.map((log) => log.name).join();
  const collector: RecordCollector = {
    record: (stream, line) => !full && done.push(`${stream} ${line}`) > 0,
    reload: async (logs) => void done.push(`reload ${namesOf(logs)}`),
    drain: async () => ({ unreadBytes: 0, unsentBytes: full ? 5 : 0 }),
    wake: () => void done.push("wake"),
    stop: async () => void done.push("stop"),
    metricsSources: () => [],
    state: async () => [],
    tail: () => undefined,
  };
  const subject = new Records(
    async (logs, rings) => {
      const start = Promise.withResolvers<void>();
      starts.push(start);
      await start.promise;
      done.push(`start ${namesOf(logs)}${rings.length === 0 ? "" : ` with ${rings.length} rings`}`);
      return collector;
    },
    { emit: (event) => void events.push(event), metrics },
  );
  const dropped = () => metrics.series.reduce((sum, series) => sum + metrics.values[series.slot]!, 0);
  const setFull = () => {
    full = true;
  };
  return { subject, done, events, starts, dropped, setFull };
}

describe("the collector", () => {
  test("is started for logs and for schedules that print, and for nothing else", async () => {
    const { subject, starts } = records();
    await subject.prepare(config());
    await subject.prepare(config([], "none"));
    expect(starts).toHaveLength(0);
    void subject.prepare(config([], "body"));
    expect(starts).toHaveLength(1);
  });

  test("is started by the first record, and gets what came meanwhile in order", async () => {
    const { subject, done, starts } = records();
    expect(subject.record("access", "1")).toBe(true);
    expect(subject.record("schedule", "2")).toBe(true);
    expect(starts).toHaveLength(1);
    starts[0]!.resolve();
    await Bun.sleep(0);
    subject.record("access", "3");
    expect(done).toEqual(["start ", "access 1", "schedule 2", "access 3"]);
  });

  test("that cannot be started fails the config that needs it, and is tried again", async () => {
    const { subject, starts, dropped } = records();
    const first = subject.prepare(config(["a"]));
    subject.record("access", "early");
    starts[0]!.reject(new Error("no disk"));
    await expect(first).rejects.toThrow("no disk");
    expect(dropped()).toBe(1);
    const second = subject.prepare(config(["a"]));
    starts[1]!.resolve();
    await second;
    expect(subject.record("access", "x")).toBe(true);
  });

  test("that a record started in vain is said to have failed", async () => {
    const { subject, events, starts } = records();
    subject.record("access", "1");
    starts[0]!.reject(new Error("no disk"));
    await Bun.sleep(0);
    expect(events).toEqual(["collector_failed"]);
  });

  test("is changed only when the logs are others, and changed back when another part refuses", async () => {
    const { subject, done, starts } = records();
    const first = subject.prepare(config(["a"]));
    starts[0]!.resolve();
    await first;
    await subject.prepare(config(["a"], "body"));
    const change = await subject.prepare(config(["a", "b"]));
    await change.abort();
    await (await subject.prepare(config(["a"]))).abort();
    expect(done).toEqual(["start a", "reload a,b", "reload a"]);
  });
});

describe("records", () => {
  test("that find no room are dropped and counted", () => {
    const { subject, dropped } = records();
    expect(subject.record("access", "x".repeat(1024 * 1024))).toBe(true);
    expect(subject.record("access", "y")).toBe(false);
    expect(dropped()).toBe(1);
  });

  test("left at the end are said", async () => {
    const { subject, events, starts, setFull, dropped } = records();
    subject.record("access", "1");
    starts[0]!.resolve();
    await Bun.sleep(0);
    setFull();
    expect(subject.record("access", "2")).toBe(false);
    await subject.drain(10);
    expect(events).toEqual(["collector_cut"]);
    expect(dropped()).toBe(1);
  });

  test("are not taken any more once stopped", async () => {
    const { subject, starts } = records();
    await subject.stop();
    expect(subject.record("access", "1")).toBe(false);
    expect(starts).toHaveLength(0);
  });
});

describe("the rings of other threads", () => {
  const ringOf = (...lines: string[]) => {
    const ring = new RecordRing(RecordRing.allocate(1024));
    for (const line of lines) ring.append(line);
    return ring;
  };

  test("start the collector when something waits in one, and wake it later", async () => {
    const { subject, done, starts } = records();
    for (const ring of [ringOf(), ringOf("1")]) subject.collectFrom(ring);
    expect(starts).toHaveLength(0);
    subject.wake();
    subject.wake();
    expect(starts).toHaveLength(1);
    starts[0]!.resolve();
    await Bun.sleep(0);
    subject.wake();
    expect(done).toEqual(["start  with 2 rings", "wake"]);
  });

  test("are emptied and counted when it cannot be started", async () => {
    const { subject, events, starts, dropped } = records();
    const ring = ringOf("1", "2", "3");
    subject.collectFrom(ring);
    subject.wake();
    starts[0]!.reject(new Error("no disk"));
    await Bun.sleep(0);
    expect(events).toEqual(["collector_failed"]);
    expect(dropped()).toBe(3);
    expect(ring.waiting).toBe(0);
  });

  test("are waited for by a drain while the collector is being started", async () => {
    const { subject, events, starts, setFull } = records();
    subject.collectFrom(ringOf("1"));
    subject.wake();
    setFull();
    const drained = subject.drain(10);
    await Bun.sleep(5);
    expect(events).toEqual([]);
    starts[0]!.resolve();
    await drained;
    expect(events).toEqual(["collector_cut"]); // the collector was asked
  });

  test("wake nobody once stopped", async () => {
    const { subject, starts } = records();
    subject.collectFrom(ringOf("1"));
    await subject.stop();
    subject.wake();
    expect(starts).toHaveLength(0);
  });
});
