import { describe, expect, test } from "bun:test";
import { judge, type StartRatios, startRatios } from "./compare.ts";
import type { PointResult } from "./measure.ts";
import { points } from "./points.ts";

function starts(...ratios: number[]): StartRatios[] {
  return ratios.map((ratio) => ({ ratio, ownNoise: 1.01, theirNoise: 0.99 }));
}

function result(...columns: number[][]): PointResult {
  return {
    point: points[0]!,
    lost: columns.length < 4 ? ["x B: gone"] : [],
    columns: columns.map((figures, i) => ({
      label: `build ${i}`,
      memory: { rssKiB: 0, rssAnonKiB: 0 },
      samples: figures.map((usPerRequest) => ({ usPerRequest, requestsPerSecond: 0, busy: 0, foreign: 0 })),
    })),
  };
}

describe("a comparison", () => {
  test("a start is the medians of its rounds, ours outside and theirs between", () => {
    const [mine, theirs] = [
      [20, 22, 24],
      [10, 11, 99],
    ];
    expect(startRatios(result(mine!, theirs!, [11, 11, 11], [22, 22, 22]))).toEqual({
      ratio: 2,
      ownNoise: 1,
      theirNoise: 1,
    });
  });

  test("a build that did not last is an error with its reason", () => {
    expect(() => startRatios(result([1], [1], [1]))).toThrow("x B: gone");
  });

  test("slower by chance is no verdict", () => {
    const { sentence, tooSlow } = judge("base", "abc", starts(1.2, 0.9, 1.1, 0.95), 0.03);
    expect(tooSlow).toBe(false);
    expect(sentence).toStartWith("base: no difference to abc was seen: +3.1 % CPU per request (95 % interval −");
    expect(sentence).toContain("slower in 2 of 4 starts");
  });

  test("slower for certain, but within the threshold", () => {
    const { sentence, tooSlow } = judge("base", "abc", starts(1.02, 1.021, 1.019, 1.02), 0.03);
    expect(tooSlow).toBe(false);
    expect(sentence).toStartWith("base: a little slower than abc: +2.0 % CPU per request");
  });

  test("slower for certain and beyond the threshold", () => {
    const { sentence, tooSlow } = judge("base", "abc", starts(1.05, 1.06, 1.055, 1.05), 0.03);
    expect(tooSlow).toBe(true);
    expect(sentence).toStartWith("base: SLOWER than abc by more than 3 %: +5.4 % CPU per request");
  });

  test("faster is said, too", () => {
    expect(judge("base", "abc", starts(0.9, 0.91, 0.89), 0.03).sentence).toStartWith("base: faster than abc: −10.0 %");
  });
});
