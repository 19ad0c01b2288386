/** Times by a pattern as strptime(3) has it, compiled once into a list of steps. No regular expressions, no `Date`. */
import { nanosOf, secondsOf } from "./civil.ts";
import { digits, digitsEnd, fraction } from "./digits.ts";
import { offsetAt } from "./rfc3339.ts";
import type { TimeReader } from "./time.ts";
import { nearest } from "./year.ts";
import type { OffsetOf } from "./zone.ts";

/** What steps find out. */
interface Found {
  year: number | undefined;
  month: number;
  day: number;
  hour: number;
  minute: number;
  second: number;
  nanos: number;
  isPm: boolean | undefined;
  offset: number | undefined;
  /** Seconds since the epoch, for `%s`. */
  epoch: number | undefined;
}

/** Reads at a place and returns the place behind it, or -1. */
type Step = (text: string, at: number, found: Found) => number;

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const fullMonths = "january february march april may june july august september october november december".split(" ");

type Part = "year" | "month" | "day" | "hour" | "minute" | "second";

/** A step for up to `most` digits. */
function number(most: number, least: number, part: Part): Step {
  return (text, at, found) => {
    const end = Math.min(digitsEnd(text, at), at + most);
    if (end - at < least) return -1;
    found[part] = digits(text, at, end - at);
    return end;
  };
}

const spaced =
  (step: Step): Step =>
  (text, at, found) =>
    step(text, text[at] === " " ? at + 1 : at, found);

function monthName(text: string, at: number, found: Found): number {
  const month = months.indexOf(text.slice(at, at + 3).toLowerCase());
  if (month < 0) return -1;
  found.month = month + 1;
  const full = fullMonths[month]!;
  return text.slice(at, at + full.length).toLowerCase() === full ? at + full.length : at + 3;
}

/** Names of days are read over: the date says which day it is. */
function dayName(text: string, at: number): number {
  const end = wordEnd(text, at);
  return end - at >= 3 ? end : -1;
}

function wordEnd(text: string, at: number): number {
  let end = at;
  while (end < text.length && /[A-Za-z]/.test(text[end]!)) end++;
  return end;
}

function fractionStep(text: string, at: number, found: Found): number {
  const end = digitsEnd(text, at);
  if (end === at) return -1;
  found.nanos = fraction(text, at, end);
  return end;
}

function zoneStep(text: string, at: number, found: Found): number {
  const offset = offsetAt(text, at);
  if (offset !== undefined) {
    found.offset = offset.seconds;
    return offset.end;
  }
  const end = wordEnd(text, at);
  if (!["UTC", "GMT", "Z"].includes(text.slice(at, end))) return -1;
  found.offset = 0;
  return end;
}

function epochStep(text: string, at: number, found: Found): number {
  const end = digitsEnd(text, at);
  if (end === at || end - at > 12) return -1;
  found.epoch = digits(text, at, end - at);
  return end;
}

function halfStep(text: string, at: number, found: Found): number {
  const half = text.slice(at, at + 2).toLowerCase();
  if (half !== "am" && half !== "pm") return -1;
  found.isPm = half === "pm";
  return at + 2;
}

/** Two digits of a year: POSIX has 69 to 99 in the last century. */
function shortYear(text: string, at: number, found: Found): number {
  const value = digits(text, at, 2);
  if (value < 0) return -1;
  found.year = value < 69 ? 2000 + value : 1900 + value;
  return at + 2;
}

const steps: Readonly<Record<string, Step>> = {
  Y: number(4, 4, "year"),
  y: shortYear,
  m: number(2, 1, "month"),
  d: number(2, 1, "day"),
  e: spaced(number(2, 1, "day")),
  H: number(2, 1, "hour"),
  k: spaced(number(2, 1, "hour")),
  I: number(2, 1, "hour"),
  l: spaced(number(2, 1, "hour")),
  M: number(2, 1, "minute"),
  S: number(2, 1, "second"),
  f: fractionStep,
  L: fractionStep,
  N: fractionStep,
  b: monthName,
  B: monthName,
  h: monthName,
  a: dayName,
  A: dayName,
  p: halfStep,
  s: epochStep,
  z: zoneStep,
  Z: zoneStep,
};

const shorthands: Readonly<Record<string, string>> = {
  T: "%H:%M:%S",
  R: "%H:%M",
  F: "%Y-%m-%d",
  D: "%m/%d/%y",
};

function literal(character: string): Step {
  return (text, at) => (text[at] === character ? at + 1 : -1);
}

/** The directives a pattern may have, for messages. */
export const directives = [...Object.keys(steps), ...Object.keys(shorthands), "%"].map((letter) => `%${letter}`);

/** @throws RangeError for a directive that does not exist */
function compile(pattern: string): Step[] {
  const all: Step[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at]!;
    const letter = character === "%" ? (pattern[++at] ?? "") : undefined;
    if (letter === undefined || letter === "%") all.push(literal(character));
    else if (shorthands[letter] !== undefined) all.push(...compile(shorthands[letter]));
    else if (steps[letter] !== undefined) all.push(steps[letter]);
    else throw new RangeError(`there is no %${letter} in patterns of times`);
  }
  return all;
}

/**
 * The reader of a pattern. All of the text must fit. A pattern without a year takes the year that makes the time
 * nearest to now: right for lines that are at most half a year old.
 * @throws RangeError for a directive that does not exist
 */
export function patternReader(pattern: string, offsetOf: OffsetOf, nowMs: () => number): TimeReader {
  const all = compile(pattern);
  return (value) => {
    if (typeof value !== "string") return undefined;
    const found: Found = { ...nothing };
    let at = 0;
    for (const step of all) {
      at = step(value, at, found);
      if (at < 0) return undefined;
    }
    return at === value.length ? timeOf(found, offsetOf, nowMs) : undefined;
  };
}

/** Later ones are beyond 64 bits of nanoseconds. */
const lastSecond = 9_223_372_036;

const nothing: Found = {
  year: undefined,
  month: 1,
  day: 1,
  hour: 0,
  minute: 0,
  second: 0,
  nanos: 0,
  isPm: undefined,
  offset: undefined,
  epoch: undefined,
};

function timeOf(found: Found, offsetOf: OffsetOf, nowMs: () => number): bigint | undefined {
  const { epoch, month, day, minute, second, nanos, isPm, offset } = found;
  if (epoch !== undefined) return epoch > lastSecond ? undefined : nanosOf(epoch, nanos);
  const hour = isPm === undefined ? found.hour : (found.hour % 12) + (isPm ? 12 : 0);
  const local = (year: number) => secondsOf(year, month, day, { hour, minute, second }, 0);
  const seconds = found.year === undefined ? nearest(local, nowMs() / 1000) : local(found.year);
  return seconds === undefined ? undefined : nanosOf(seconds - (offset ?? offsetOf(seconds)), nanos);
}
