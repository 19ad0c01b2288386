import { expect, test } from "bun:test";
import type { Connection } from "./connection.ts";
import { allocateOwnCalls, ownCalls } from "./own-calls.ts";

/** As much of one as its place among the calls is known by. */
function call(port: number, address = "10.0.0.9"): Connection {
  return { address, port: 80, destination: { address: "10.0.0.1", port } } as unknown as Connection;
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
  one.onGone?.();
  expect(ownCalls.has({ address: "10.0.0.1", port: 40_000 }, { address: "10.0.0.9", port: 80 })).toBe(false);
});

test("what closes late does not take the place of what came after it from the same port", () => {
  const [one, two] = [call(40_100), call(40_100, "10.0.0.8")];
  ownCalls.note(one);
  ownCalls.note(two);
  one.onGone?.();
  expect(ownCalls.has(two.destination, two)).toBe(true);
  two.onGone?.();
  expect(ownCalls.has(two.destination, two)).toBe(false);
});

test("other threads see them, too", () => {
  const memory = allocateOwnCalls();
  ownCalls.attach(memory);
  ownCalls.note(call(40_200));
  expect(new Int32Array(memory)[40_200]).not.toBe(0);
});
