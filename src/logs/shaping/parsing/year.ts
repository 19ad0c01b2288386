/** Dates that do not say their year. */
import { nanosOf, secondsOf, type TimeOfDay, yearOf } from "./civil.ts";
import type { TimeSense } from "./format.ts";

/**
 * Of the years around now the one whose time is nearest, in seconds: right for what is at most half a year old.
 * 29 February is in the nearest leap year. Undefined when the date is in no year at all.
 */
export function nearest(local: (year: number) => number | undefined, nowSeconds: number): number | undefined {
  const thisYear = yearOf(Math.floor(nowSeconds / 86_400));
  let best: number | undefined;
  for (const year of around) {
    const seconds = local(thisYear + year);
    if (seconds === undefined) continue;
    const distance = Math.abs(seconds - nowSeconds);
    if (best === undefined || distance < Math.abs(best - nowSeconds)) best = seconds;
    if (distance < halfYearSeconds) break;
  }
  return best;
}

const halfYearSeconds = 180 * 86_400;
/** Nearest first; eight years lie between two leap years around 2100. */
const around = [0, -1, 1, -2, 2, -3, 3, -4, 4, -5, 5, -6, 6, -7, 7];

/** The same in nanoseconds, of a local time. */
export function nearestTime(
  month: number,
  day: number,
  time: TimeOfDay,
  nanos: number,
  { offsetOf, nowMs }: TimeSense,
): bigint | undefined {
  const local = nearest((year) => secondsOf(year, month, day, time, 0), nowMs() / 1000);
  return local === undefined ? undefined : nanosOf(local - offsetOf(local), nanos);
}
