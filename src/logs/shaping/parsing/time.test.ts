import { describe, expect, test } from "bun:test";
import * as fc from "fast-check";
import { daysOf, yearOf } from "./civil.ts";
import { writeRfc3339 } from "./rfc3339.ts";
import { timeReader } from "./time.ts";

const now = Date.UTC(2026, 10, 26, 12);
const read = (format: string, value: unknown, zone = "UTC") => timeReader(format, zone, () => now)(value);
const ns = (...parts: Parameters<typeof Date.UTC>) => BigInt(Date.UTC(...parts)) * 1_000_000n;

describe("times are read", () => {
  const rows: [format: string, value: unknown, expected: bigint | undefined, zone?: string][] = [
    ["rfc3339", "2026-11-26T10:00:00Z", ns(2026, 10, 26, 10)],
    ["rfc3339", "2026-11-26 10:00:00.123456789+02:00", ns(2026, 10, 26, 8) + 123_456_789n],
    ["rfc3339", "2026-11-26T10:00:00,5-0330", ns(2026, 10, 26, 13, 30) + 500_000_000n],
    ["rfc3339", "2026-11-26T10:00:00", ns(2026, 10, 26, 9), "Europe/Berlin"],
    ["rfc3339", "2026-07-26T10:00:00", ns(2026, 6, 26, 8), "Europe/Berlin"],
    ["rfc3339", "2026-11-26T10:00:00", ns(2026, 10, 26, 15), "-05:00"],
    ["rfc3339", "2026-11-26T23:59:60Z", ns(2026, 10, 26, 23, 59, 59)],
    ["rfc3339", "2024-02-29T00:00:00Z", ns(2024, 1, 29)],
    ["rfc3339", "0001-01-01T00:00:00Z", undefined],
    ["rfc3339", "1970-01-01T00:00:00+14:00", undefined],
    ["rfc3339", "9999-12-31T23:59:59Z", undefined],
    ["rfc3339", "2026-02-29T00:00:00Z", undefined],
    ["rfc3339", "2026-13-01T00:00:00Z", undefined],
    ["rfc3339", "2026-11-26T24:00:00Z", undefined],
    ["rfc3339", "2026-11-26T10:00:00Z and more", undefined],
    ["rfc3339", "2026-11-26", undefined],
    ["rfc3339", 1_795_687_200, undefined],
    ["s", 1_795_687_200, ns(2026, 10, 26, 10)],
    ["s", 1_795_687_200.25, ns(2026, 10, 26, 10) + 250_000_000n],
    ["s", "1795687200.123456789123", ns(2026, 10, 26, 10) + 123_456_789n],
    ["ms", 1_795_687_200_123, ns(2026, 10, 26, 10) + 123_000_000n],
    ["ms", "1795687200123.5", ns(2026, 10, 26, 10) + 123_500_000n],
    ["us", "1795687200123456", ns(2026, 10, 26, 10) + 123_456_000n],
    ["ns", "1795687200123456789", ns(2026, 10, 26, 10) + 123_456_789n],
    ["s", "-1.5", undefined],
    ["s", "9999999999999999999", undefined],
    ["ms", 9_007_199_254_740_991, undefined],
    ["ms", -1, undefined],
    ["ns", "9999999999999999999", undefined],
    ["ns", "9223372036854775807", 9_223_372_036_854_775_807n],
    ["%s", "999999999999", undefined],
    ["%Y-%m-%d", "1066-10-14", undefined],
    ["s", "soon", undefined],
    ["s", null, undefined],
    ["auto", "1795687200", ns(2026, 10, 26, 10)],
    ["auto", 1_795_687_200_000, ns(2026, 10, 26, 10)],
    ["auto", "1795687200000000", ns(2026, 10, 26, 10)],
    ["auto", "1795687200000000000", ns(2026, 10, 26, 10)],
    ["auto", "2026-11-26T10:00:00Z", ns(2026, 10, 26, 10)],
    ["auto", 42, undefined],
    ["auto", true, undefined],
    ["%d/%b/%Y:%H:%M:%S %z", "26/Nov/2026:11:00:00 +0100", ns(2026, 10, 26, 10)],
    ["%Y-%m-%d %H:%M:%S,%f", "2026-11-26 10:00:00,042", ns(2026, 10, 26, 10) + 42_000_000n],
    ["%A, %d %B %y %I:%M %p", "Thursday, 26 November 26 12:05 AM", ns(2026, 10, 26, 0, 5)],
    ["%F %T %Z", "2026-11-26 10:00:00 UTC", ns(2026, 10, 26, 10)],
    ["%s.%L", "1795687200.5", ns(2026, 10, 26, 10) + 500_000_000n],
    ["%e.%m.%Y 100%%", " 6.11.2026 100%", ns(2026, 10, 6)],
    ["%m-%d %H:%M", "12-31 23:00", ns(2026, 11, 31, 23)],
    ["%m-%d %H:%M", "01-02 00:00", ns(2027, 0, 2)],
    ["%Y-%m-%d", "2026-11-26 ", undefined],
    ["%Y-%m-%d", "26-11-26", undefined],
  ];
  for (const [format, value, expected, zone] of rows) {
    test(`${format}: ${JSON.stringify(value)}${zone === undefined ? "" : ` in ${zone}`}`, () => {
      expect(read(format, value, zone)).toBe(expected);
    });
  }
});

test("a zone's offset is the right one around its changes", () => {
  const before = read("rfc3339", "2026-10-25T01:59:59", "Europe/Berlin");
  const after = read("rfc3339", "2026-10-25T03:00:00", "Europe/Berlin");
  expect([before, after]).toEqual([ns(2026, 9, 24, 23, 59, 59), ns(2026, 9, 25, 2)]);
});

test("days and years agree with the calendar of the language", () => {
  fc.assert(
    fc.property(fc.integer({ min: -700_000, max: 700_000 }), (days) => {
      const date = new Date(days * 86_400_000);
      expect(daysOf(date.getUTCFullYear(), date.getUTCMonth() + 1, date.getUTCDate())).toBe(days);
      expect(yearOf(days)).toBe(date.getUTCFullYear());
    }),
  );
});

test("any moment is read back from how it is written, to the nanosecond", () => {
  fc.assert(
    fc.property(
      fc.date({ min: new Date("1971-01-01"), max: new Date("2261-12-31"), noInvalidDate: true }),
      fc.nat(999_999),
      (date, fine) => {
        const text = date.toISOString().replace("Z", `${String(fine).padStart(6, "0")}Z`);
        const time = BigInt(date.getTime()) * 1_000_000n + BigInt(fine);
        expect(read("rfc3339", text)).toBe(time);
        expect(writeRfc3339(time)).toBe(text);
      },
    ),
  );
});

test("moments before 1970 are written as what they are", () => {
  expect([-1n, -1_000_000_000n, -1_500_000_000n].map(writeRfc3339)).toEqual([
    "1969-12-31T23:59:59.999999999Z",
    "1969-12-31T23:59:59.000000000Z",
    "1969-12-31T23:59:58.500000000Z",
  ]);
});
