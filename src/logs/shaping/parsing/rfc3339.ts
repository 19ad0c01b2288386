/**
 * Dates as RFC 3339 writes them, and what programs make of it: a space instead of the T, a comma before the fraction,
 * an offset without its colon, or no offset at all. And how we write them.
 */
import { nanosOf, secondsOf } from "./civil.ts";
import { digits, digitsEnd, fraction } from "./digits.ts";

/** Offset of a zone in seconds east of Greenwich; the place behind it. */
export interface Offset {
  readonly seconds: number;
  readonly end: number;
}

/** `Z`, `+02:00`, `+0200` or `+02` at a place. */
export function offsetAt(text: string, at: number): Offset | undefined {
  const sign = text[at];
  if (sign === "Z" || sign === "z") return { seconds: 0, end: at + 1 };
  if (sign !== "+" && sign !== "-") return undefined;
  const hours = digits(text, at + 1, 2);
  if (hours < 0 || hours > 23) return undefined;
  const minutesAt = text[at + 3] === ":" ? at + 4 : at + 3;
  const minutes = digits(text, minutesAt, 2);
  const hasMinutes = minutes >= 0 && minutes <= 59;
  const size = hours * 3600 + (hasMinutes ? minutes * 60 : 0);
  return { seconds: sign === "-" ? -size : size, end: hasMinutes ? minutesAt + 2 : at + 3 };
}

/** A time and the place behind it. */
export interface Read {
  readonly nanos: bigint;
  readonly end: number;
}

/**
 * Reads the time at the beginning of a text. `offsetOf` says the offset of a local time, in seconds since the epoch as
 * though it were UTC; asked only where none is written. Undefined when there is no time.
 */
export function readRfc3339(text: string, offsetOf: (localSeconds: number) => number): Read | undefined {
  const local = localSeconds(text);
  if (local === undefined) return undefined;
  const point = text.charCodeAt(secondEnd);
  const fractionEnd = point === 46 || point === 44 ? digitsEnd(text, secondEnd + 1) : secondEnd;
  const hasFraction = fractionEnd > secondEnd + 1;
  const nanos = hasFraction ? fraction(text, secondEnd + 1, fractionEnd) : 0;
  const end = hasFraction ? fractionEnd : secondEnd;
  if (text.charCodeAt(end) === 90) return { nanos: nanosOf(local, nanos), end: end + 1 };
  const offset = offsetAt(text, end);
  return { nanos: nanosOf(local - (offset?.seconds ?? offsetOf(local)), nanos), end: offset?.end ?? end };
}

/** Length of `2026-11-26T10:00:00`. */
const secondEnd = 19;

let lastText = "";
let lastSeconds: number | undefined;

/** Date and time of day as though it were UTC. Lines of one second share them, so the last one is kept. */
function localSeconds(text: string): number | undefined {
  if (lastText !== "" && text.startsWith(lastText)) return lastSeconds;
  const isDate = isAt(text, 4, "-") && isAt(text, 7, "-") && isAt(text, 13, ":") && isAt(text, 16, ":");
  if (!isDate || !isBetween(text.charCodeAt(10))) return undefined;
  const [year, month, day] = [digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2)];
  const time = { hour: digits(text, 11, 2), minute: digits(text, 14, 2), second: digits(text, 17, 2) };
  if (year < 0 || month < 0 || day < 0 || time.hour < 0 || time.minute < 0 || time.second < 0) return undefined;
  lastText = text.slice(0, secondEnd);
  lastSeconds = secondsOf(year, month, day, time, 0);
  return lastSeconds;
}

function isAt(text: string, at: number, character: string): boolean {
  return text[at] === character;
}

/** `T`, `t`, a space or an underscore. */
function isBetween(code: number): boolean {
  return code === 84 || code === 32 || code === 116 || code === 95;
}

const billion = 1_000_000_000n;
let lastWritten = Number.NaN;
let lastWhole = "";

/** Nanoseconds since the epoch as `2026-11-26T10:00:00.123456789Z`. Times of one second share the expensive part. */
export function writeRfc3339(time: bigint): string {
  const rest = Number(time % billion);
  const nanos = rest < 0 ? rest + 1e9 : rest;
  const seconds = Number(time / billion) - (rest < 0 ? 1 : 0);
  if (seconds !== lastWritten) {
    lastWhole = new Date(seconds * 1000).toISOString().slice(0, -4);
    lastWritten = seconds;
  }
  return `${lastWhole}${String(nanos + 1e9).slice(1)}Z`;
}
