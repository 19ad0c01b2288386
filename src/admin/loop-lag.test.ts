import { expect, test } from "bun:test";
import { systemClock } from "../clock.ts";
import { LoopLag } from "./loop-lag.ts";

test("a loop that was blocked shows as lag, once", async () => {
  const lag = new LoopLag(systemClock, 10);
  await Bun.sleep(15);
  Bun.sleepSync(200);
  await Bun.sleep(15);
  expect(lag.take()).toBeGreaterThan(0.15);
  expect(lag.take()).toBe(0);
  lag.stop();
});
