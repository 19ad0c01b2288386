import { expect, test } from "bun:test";
import { allocatePulse, Pulse, PulseReader } from "./pulse.ts";

function pair() {
  const memory = allocatePulse();
  let now = 0;
  const reader = new PulseReader(memory, { now: () => now, wall: () => 0 });
  const pass = (ms: number) => {
    now += ms;
  };
  return { pulse: new Pulse(memory), reader, pass };
}

test("the worst lag since it was taken last is told", () => {
  const { pulse, reader, pass } = pair();
  for (const lag of [0.1, 0.4, 0.2]) {
    pass(1000);
    pulse.beat(lag);
  }
  expect(reader.takeLag()).toBe(0.4);
  pass(1000);
  pulse.beat(0.05);
  expect(reader.takeLag()).toBe(0.05);
});

test("a thread whose beats stop is stuck, for as long as they are missing", () => {
  const { pulse, reader, pass } = pair();
  pulse.beat(0);
  expect(reader.look()).toBe(0);
  pass(1900);
  expect(reader.look()).toBe(0);
  pass(3100);
  expect(reader.takeLag()).toBe(3);
  pulse.beat(4);
  expect(reader.takeLag()).toBe(4);
  expect(reader.look()).toBe(0);
});

test("a thread that never began is stuck, too", () => {
  const { reader, pass } = pair();
  pass(10_000);
  expect(reader.takeLag()).toBe(8);
});

test("what runs is told as it is", () => {
  const { pulse, reader } = pair();
  expect(reader.exchanges).toBe(0);
  pulse.tellExchanges(7);
  expect(reader.exchanges).toBe(7);
});
