import { describe, expect, test } from "bun:test";
import { formatDuration, formatSize, name, parseDuration, parseSize, regex } from "./scalars.ts";

describe("a duration", () => {
  const right: [string | number, number][] = [
    ["250ms", 250],
    ["15s", 15_000],
    ["1.5s", 1500],
    ["5m", 300_000],
    ["1h", 3_600_000],
    ["0", 0],
    [0, 0],
    ["0s", 0],
  ];
  for (const [text, ms] of right) test(`${text} is ${ms} ms`, () => expect(parseDuration(text)).toEqual({ value: ms }));

  const wrong: [string | number, string][] = [
    ["15", "write 15s or 15ms"],
    [15, "write 15s or 15ms"],
    ["1d", "write a number with its unit: 250ms, 15s, 5m or 1h"],
    ["-1s", "write a number with its unit: 250ms, 15s, 5m or 1h"],
    ["1m30s", "write a number with its unit: 250ms, 15s, 5m or 1h"],
    ["600h", "write at most 596h"],
  ];
  for (const [text, remedy] of wrong)
    test(`${text} is none`, () => expect(parseDuration(text)).toMatchObject({ remedy }));

  test("may have a least one", () => {
    expect(parseDuration("9ms", 10)).toMatchObject({ remedy: "write at least 10ms" });
    expect(parseDuration("10ms", 10)).toEqual({ value: 10 });
  });

  for (const ms of [0, 1, 250, 1000, 1500, 60_000, 90_000, 3_600_000]) {
    test(`${ms} ms as text is read as the same`, () =>
      expect(parseDuration(formatDuration(ms))).toEqual({ value: ms }));
  }
});

describe("a size", () => {
  const right: [string | number, number][] = [
    [0, 0],
    ["0", 0],
    [1000, 1000],
    ["1000", 1000],
    ["10B", 10],
    ["64KiB", 65_536],
    ["64 KiB", 65_536],
    ["1.5MiB", 1_572_864],
    ["2GiB", 2_147_483_648],
  ];
  for (const [text, bytes] of right)
    test(`${text} is ${bytes}`, () => expect(parseSize(text)).toEqual({ value: bytes }));

  for (const [text, remedy] of [
    ["64KB", "write 64KiB"],
    ["1m", "write 1MiB"],
    ["1Gi", "write 1GiB"],
    ["1constructor", "write a number of bytes, or one with KiB, MiB or GiB"],
    ["x", "write a number of bytes, or one with KiB, MiB or GiB"],
  ] as const) {
    test(`${text} is none`, () => expect(parseSize(text)).toMatchObject({ remedy }));
  }

  test("is shown in its largest whole unit", () => {
    expect([0, 1, 1024, 1536, 1_048_576].map(formatSize)).toEqual(["0 bytes", "1 bytes", "1KiB", "1536 bytes", "1MiB"]);
  });
});

describe("a name", () => {
  for (const right of ["a", "web-1", "A.b_c", "9"])
    test(`may be ${right}`, () => expect(name().safeParse(right).success).toBe(true));
  for (const wrong of ["", "-a", "a b", "a/b", "x".repeat(64), 3, null]) {
    test(`may not be ${JSON.stringify(wrong)}`, () => expect(name().safeParse(wrong).success).toBe(false));
  }
});

test("a regular expression knows whole code points", () => {
  expect(regex().parse("^.$").test("😀")).toBe(true);
  expect(regex().safeParse("(").success).toBe(false);
});
