import { describe, expect, test } from "bun:test";
import { FakeTime } from "../../test/kit/fake-time.ts";
import { dueOf, Ticker, type When } from "./clock.ts";

/** Starts a ticker in made-up time and returns the seconds at which it ticked. */
async function ticking(when: When, { jitterMs = 0, wall = 0, random = 0 } = {}) {
  const time = new FakeTime(wall);
  time.random = () => random;
  const at: number[] = [];
  const ticker = new Ticker(await dueOf(when, time.clock), jitterMs, time, () => at.push(time.clock.now() / 1000));
  ticker.start();
  return { time, at, ticker };
}

describe("an interval", () => {
  test("ticks first after one interval, then on a grid", async () => {
    const { time, at } = await ticking({ everyMs: 15_000 });
    time.pass(14_999);
    expect(at).toEqual([]);
    time.pass(45_001);
    expect(at).toEqual([15, 30, 45, 60]);
  });

  test("does not make up for ticks that were missed while the process slept, and keeps the grid", async () => {
    const { time, at } = await ticking({ everyMs: 10_000 });
    time.jump(34_000);
    time.pass(10_000);
    expect(at).toEqual([34, 40]);
  });

  test("adds jitter to each tick without drifting", async () => {
    const { time, at } = await ticking({ everyMs: 10_000 }, { jitterMs: 4000, random: 0.5 });
    time.pass(40_000);
    expect(at).toEqual([12, 22, 32]);
  });

  test("that is longer than a timer can be set still comes once, in time", async () => {
    const days = 30 * 24 * 3600;
    const { time, at } = await ticking({ everyMs: days * 1000 });
    time.pass(days * 1000 + 1);
    expect(at).toEqual([days]);
  });

  test("ends when it is stopped", async () => {
    const { time, at, ticker } = await ticking({ everyMs: 1000 });
    time.pass(2500);
    ticker.stop();
    time.pass(10_000);
    expect(at).toEqual([1, 2]);
    expect(time.waiting).toBe(0);
  });

  test("does not care about the wall clock", async () => {
    const { time, at } = await ticking({ everyMs: 10_000 });
    time.setWall(1e12);
    time.pass(10_000);
    expect(at).toEqual([10]);
  });
});

describe("cron", () => {
  const startOfDay = Date.UTC(2026, 0, 1) + new Date(Date.UTC(2026, 0, 1)).getTimezoneOffset() * 60_000;

  test("ticks at the minutes of the expression, and each only once", async () => {
    const { time, at } = await ticking({ cron: "*/5 * * * *" }, { wall: startOfDay + 60_000 });
    time.pass(15 * 60_000);
    expect(at).toEqual([4 * 60, 9 * 60, 14 * 60]);
  });

  test("takes six fields with seconds first", async () => {
    const { time, at } = await ticking({ cron: "*/20 * * * * *" }, { wall: startOfDay });
    time.pass(60_000);
    expect(at).toEqual([20, 40, 60]);
  });

  test("follows a wall clock that is set forward", async () => {
    const { time, at } = await ticking({ cron: "0 3 * * *" }, { wall: startOfDay });
    time.pass(10_000);
    time.setWall(startOfDay + 3 * 3600_000 - 30_000);
    time.pass(90_000);
    expect(at).toHaveLength(1);
    expect(at[0]).toBeLessThanOrEqual(100);
  });

  test("follows a wall clock that is set back by hours", async () => {
    const { time, at } = await ticking({ cron: "0 * * * *" }, { wall: startOfDay + 10 * 3600_000 });
    time.pass(3600_000);
    time.setWall(startOfDay);
    time.pass(3700_000);
    expect(at).toHaveLength(2);
  });

  test("that never comes waits without a timer", async () => {
    const { time, at } = await ticking({ cron: "0 0 30 2 *" }, { wall: startOfDay });
    expect(time.waiting).toBe(0);
    expect(at).toEqual([]);
  });

  test("that cannot be read is refused", async () => {
    await expect(dueOf({ cron: "every day" }, new FakeTime(0).clock)).rejects.toThrow();
  });
});
