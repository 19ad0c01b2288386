import { expect, test } from "bun:test";
import { retryAfterMs } from "./retry-after.ts";

const now = Date.UTC(2026, 10, 26, 4, 0, 0);

test.each([
  ["0", 0],
  ["120", 120_000],
  [" 7 ", 7_000],
  ["Thu, 26 Nov 2026 04:00:30 GMT", 30_000],
  ["Thursday, 26-Nov-26 04:00:30 GMT", 30_000],
  ["Thu Nov 26 04:00:30 2026", 30_000],
  ["Thu, 26 Nov 2026 03:59:00 GMT", 0],
  ["", undefined],
  ["soon", undefined],
  ["-5", undefined],
  ["1.5", undefined],
  ["99999999999", undefined],
  ["Thu, 99 Nov 2026 04:00:30 GMT", undefined],
  [undefined, undefined],
])("Retry-After: %s", (value, ms) => {
  expect(retryAfterMs(value, now)).toBe(ms);
});
