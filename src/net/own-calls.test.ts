import { expect, test } from "bun:test";
import type { Connection } from "./connection.ts";
import { ownCalls } from "./own-calls.ts";

/** As much of one as its place among the calls is known by. */
function call(port: number): Connection & { closed: boolean } {
  const ends = { address: "10.0.0.9", port: 80, destination: { address: "10.0.0.1", port }, closed: false };
  return ends as unknown as Connection & { closed: boolean };
}

test("a call is known by both its ends while it is open", () => {
  const early = call(1);
  ownCalls.note(early);
  expect(ownCalls.has(early.destination, early)).toBe(false); // nobody watches yet
  ownCalls.watch();
  const one = call(40_000);
  ownCalls.note(one);
  expect(ownCalls.has({ address: "10.0.0.1", port: 40_000 }, { address: "10.0.0.9", port: 80 })).toBe(true);
  expect(ownCalls.has({ address: "10.0.0.1", port: 40_001 }, { address: "10.0.0.9", port: 80 })).toBe(false);
  expect(ownCalls.has({ address: "10.0.0.1", port: 40_000 }, { address: "10.0.0.9", port: 81 })).toBe(false);
  one.closed = true;
  expect(ownCalls.has({ address: "10.0.0.1", port: 40_000 }, { address: "10.0.0.9", port: 80 })).toBe(false);
});

test("open ones are kept however many come and go", () => {
  const kept = call(30_000);
  ownCalls.note(kept);
  for (let port = 1; port < 5000; port++) {
    const passing = call(port);
    ownCalls.note(passing);
    passing.closed = true;
  }
  expect(ownCalls.has(kept.destination, kept)).toBe(true);
});
