import { describe, expect, test } from "bun:test";
import { ConnectionLimit } from "./connection-limit.ts";

describe("a limit that two threads share", () => {
  const memory = ConnectionLimit.allocate();
  const [one, two] = [new ConnectionLimit(3, memory), new ConnectionLimit(3, memory)];

  test("lets in as many as it says, whoever comes", () => {
    expect([one.take(), two.take(), one.take()]).toEqual([true, true, true]);
    expect([one.take(), two.take()]).toEqual([false, false]);
    expect(two.open).toBe(3);
    one.give();
    expect([two.take(), one.take()]).toEqual([true, false]);
  });

  test("tells 64 refused ones why at a time", () => {
    const taken = Array.from({ length: 70 }, (_, at) => (at % 2 === 0 ? one : two).takeRefused());
    expect(taken.filter((isTaken) => isTaken)).toHaveLength(64);
    two.giveRefused();
    expect([one.takeRefused(), one.takeRefused()]).toEqual([true, false]);
    expect(one.open).toBe(3);
  });
});

test("alone it needs no memory from elsewhere, and may be without end", () => {
  const limit = new ConnectionLimit(Number.POSITIVE_INFINITY);
  for (let i = 0; i < 1000; i++) expect(limit.take()).toBe(true);
  expect(new ConnectionLimit(1).take()).toBe(true);
});
