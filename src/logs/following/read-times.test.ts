import { expect, test } from "bun:test";
import { ReadTimes } from "./read-times.ts";

test("what waits is as old as the oldest read that is not acknowledged", () => {
  const times = new ReadTimes();
  expect(times.oldestMs).toBeUndefined();
  times.note(0, 1_000);
  times.note(10, 1_500);
  times.note(20, 2_100);
  times.note(30, 3_200);
  times.settle(10, 40);
  expect(times.oldestMs).toBe(1_000);
  times.settle(20, 40);
  expect(times.oldestMs).toBe(2_100);
  times.settle(35, 40);
  expect(times.oldestMs).toBe(3_200);
  times.settle(40, 40);
  expect(times.oldestMs).toBeUndefined();
  times.note(40, 9_000);
  expect(times.oldestMs).toBe(9_000);
});

test("an output that takes nothing for hours costs no memory, and keeps the oldest", () => {
  const times = new ReadTimes();
  for (let second = 0; second < 10_000; second++) times.note(second, second * 1_000);
  expect(times.oldestMs).toBe(0);
  const kept: number[] = [];
  for (let to = 0; to < 10_000; to++) {
    times.settle(to, 10_000);
    if (times.oldestMs !== kept.at(-1)) kept.push(times.oldestMs!);
    // Never younger than it is: what is said to wait for so long does wait at least nearly as long.
    expect(times.oldestMs).toBeLessThanOrEqual(to * 1_000);
  }
  expect(kept.length).toBeLessThanOrEqual(32);
});
