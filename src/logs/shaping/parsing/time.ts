/** Readers of times: a value of a field to nanoseconds since the epoch. */
import { nanosOf } from "./civil.ts";
import { readRfc3339 } from "./rfc3339.ts";
import { patternReader } from "./time-pattern.ts";
import { type OffsetOf, offsetsOf } from "./zone.ts";

/** Undefined when the value is no time of this form. */
export type TimeReader = (value: unknown) => bigint | undefined;

/** How times are written. A pattern has `%Y` and the like; all else is one of the names. */
export const timeFormats = ["auto", "rfc3339", "s", "ms", "us", "ns"] as const;

const digitsOfUnit: Readonly<Record<string, number>> = { s: 9, ms: 6, us: 3, ns: 0 };

/**
 * The reader of a format. `zone` is that of times which do not say theirs: `UTC`, `+02:00`, or a name such as
 * `Europe/Berlin`. `nowMs` says the time, for patterns without a year.
 * @throws RangeError for a pattern or a zone that does not exist
 */
export function timeReader(format: string, zone: string, nowMs: () => number): TimeReader {
  const offsetOf = offsetsOf(zone);
  if (format === "auto") return (value) => readAny(value, offsetOf);
  if (format === "rfc3339") return (value) => readWhole(value, offsetOf);
  const digits = digitsOfUnit[format];
  if (digits !== undefined) return (value) => readEpoch(value, digits);
  return patternReader(format, offsetOf, nowMs);
}

function readWhole(value: unknown, offsetOf: OffsetOf): bigint | undefined {
  if (typeof value !== "string") return undefined;
  const read = readRfc3339(value, offsetOf);
  return read !== undefined && read.end === value.length ? read.nanos : undefined;
}

/** A date as RFC 3339 has it, or a number since the epoch, whose size tells its unit: that of a year from 2001 to 2286. */
function readAny(value: unknown, offsetOf: OffsetOf): bigint | undefined {
  if (typeof value === "string" && value.charCodeAt(4) === 45) return readWhole(value, offsetOf);
  const whole =
    typeof value === "number" ? Math.trunc(value) : /^\d{10,19}(\.\d+)?$/.test(String(value)) ? Number(value) : 0;
  if (whole < 1e9) return undefined;
  return readEpoch(value, whole < 1e10 ? 9 : whole < 1e13 ? 6 : whole < 1e16 ? 3 : 0);
}

const decimal = /^(\d{1,19})(?:[.,](\d+))?$/;
/** Above it is what 64 bits with a sign cannot hold, and most destinations cannot either. */
const lastNanos = 2n ** 63n - 1n;

/** A number, or one in text; `digits` is how many digits of nanoseconds its unit has. From 1970 to 2262. */
function readEpoch(value: unknown, digits: number): bigint | undefined {
  const nanos = nanosIn(value, digits);
  return nanos === undefined || nanos < 0n || nanos > lastNanos ? undefined : nanos;
}

function nanosIn(value: unknown, digits: number): bigint | undefined {
  if (typeof value === "number" && Number.isSafeInteger(value) && digits === 6) {
    const seconds = Math.floor(value / 1000);
    return nanosOf(seconds, (value - seconds * 1000) * 1_000_000);
  }
  const text = typeof value === "number" || typeof value === "string" ? String(value) : "";
  const [, whole, rest = ""] = decimal.exec(text) ?? [];
  return whole === undefined ? undefined : BigInt(whole + rest.slice(0, digits).padEnd(digits, "0"));
}
