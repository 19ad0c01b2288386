import { describe, expect, test } from "bun:test";
import { median, quantile, ratios } from "./statistics.ts";

describe("statistics", () => {
  test("the median of an even number of values lies between the middle ones", () => {
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([9, 1, 5])).toBe(5);
  });

  test("quantiles are interpolated and reach both ends", () => {
    const values = Array.from({ length: 101 }, (_, i) => 100 - i);
    expect(quantile(values, 0.99)).toBe(99);
    expect(quantile(values, 0)).toBe(0);
    expect(quantile([1, 2], 1)).toBe(2);
    expect(quantile([], 0.5)).toBeNaN();
  });

  test("ratios are made round by round", () => {
    expect(ratios([10, 30], [20, 20])).toEqual([0.5, 1.5]);
  });
});
