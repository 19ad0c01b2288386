import type { Clock } from "./contracts.ts";

/** The machine's time. Only threads' entry points take it; everything else receives a Clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  wall: () => Date.now(),
};
