import { expect, test } from "bun:test";
import { amountOf, formatBytes, formatCores, isQuantity, sameAmount } from "./quantities.ts";

test("quantities are read as Kubernetes reads them", () => {
  const amounts: [unknown, number | undefined][] = [
    ["1", 1],
    [2, 2],
    ["500m", 0.5],
    [".5", 0.5],
    ["1.", 1],
    ["64Mi", 64 * 1024 ** 2],
    ["1k", 1000],
    ["2e3", 2000],
    ["1E", 1e18],
    ["1E2", 100],
    ["5 Mi", undefined],
    ["500mb", undefined],
    ["-1", undefined],
    ["", undefined],
    [null, undefined],
  ];
  for (const [written, amount] of amounts) expect([written, amountOf(written)]).toEqual([written, amount]);
});

test("amounts are compared, not texts", () => {
  expect(sameAmount("1", "1000m")).toBe(true);
  expect(sameAmount("1Gi", "1024Mi")).toBe(true);
  expect(sameAmount("1G", "1Gi")).toBe(false);
  expect(sameAmount("a", "a")).toBe(false);
  expect([isQuantity("0"), isQuantity("1")]).toEqual([false, true]);
});

test("they are written for people", () => {
  expect([formatCores(0.05), formatCores(2), formatCores(1.5)]).toEqual(["50m", "2", "1500m"]);
  expect([formatBytes(64 * 1024 ** 2), formatBytes(1024 ** 3), formatBytes(1500)]).toEqual(["64Mi", "1Gi", "1500"]);
});
