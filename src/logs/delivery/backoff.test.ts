import { expect, test } from "bun:test";
import { Backoff } from "./backoff.ts";

const policy = { leastMs: 100, mostMs: 1_000 };

test("pauses are random up to a bound that doubles with each failure, and no further than the most", () => {
  let random = 1;
  const backoff = new Backoff(policy, () => random);
  const pauses = Array.from({ length: 6 }, () => {
    backoff.failed(0);
    return backoff.pauseMs();
  });
  expect(pauses).toEqual([100, 200, 400, 800, 1_000, 1_000]);
  random = 0.25;
  expect(backoff.pauseMs()).toBe(250);
  backoff.progressed();
  backoff.failed(0);
  expect(backoff.pauseMs()).toBe(25);
});

test("what the destination asks for is kept to, up to five minutes", () => {
  const backoff = new Backoff(policy, () => 1);
  backoff.failed(0);
  expect([backoff.pauseMs(7_000), backoff.pauseMs(0), backoff.pauseMs(3_600_000)]).toEqual([7_000, 0, 300_000]);
});

test("without limits there is no end; with one it counts attempts on what is tried now, or their time", () => {
  const endless = new Backoff(policy, () => 1);
  for (let i = 0; i < 1_000; i++) endless.failed(i * 1e6);
  expect(endless.isOver(1e12)).toBe(false);
  const counted = new Backoff({ ...policy, attempts: 2 }, () => 1);
  counted.failed(0);
  expect(counted.isOver(0)).toBe(false);
  counted.next();
  counted.failed(0);
  expect(counted.isOver(0)).toBe(false);
  counted.failed(0);
  expect(counted.isOver(0)).toBe(true);
  const timed = new Backoff({ ...policy, giveUpAfterMs: 1_000 }, () => 1);
  timed.failed(5_000);
  expect([timed.isOver(5_999), timed.isOver(6_000)]).toEqual([false, true]);
});
