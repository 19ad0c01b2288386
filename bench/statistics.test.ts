import { describe, expect, test } from "bun:test";
import { meanInterval, median, quantile, ratioInterval, ratios, robustSlope } from "./statistics.ts";

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

  test("the interval of a mean is that of the tables", () => {
    // 1 to 6: mean 3.5, deviation 1.8708, standard error 0.7638, t(5) 2.571.
    const { mean, low, high } = meanInterval([1, 2, 3, 4, 5, 6]);
    expect(mean).toBe(3.5);
    expect(low).toBeCloseTo(1.536, 3);
    expect(high).toBeCloseTo(5.464, 3);
    expect(() => meanInterval([1])).toThrow("chance");
  });

  test("a ratio and its inverse say the same", () => {
    const values = [1.02, 1.05, 0.99, 1.1];
    const there = ratioInterval(values);
    const back = ratioInterval(values.map((value) => 1 / value));
    expect(there.mean * back.mean).toBeCloseTo(1, 12);
    expect(there.low * back.high).toBeCloseTo(1, 12);
  });

  test("a slope is not moved by a few wild points", () => {
    const line = Array.from({ length: 30 }, (_, i): [number, number] => [i, 5 + 2 * i]);
    line[7] = [7, 10_000];
    line[20] = [20, -10_000];
    expect(robustSlope(line)).toBeCloseTo(2, 6);
    expect(robustSlope([[1, 1]])).toBeNaN();
  });
});
