/**
 * Syslog messages as they stand in files and come over the wire, both generations:
 *
 *   <34>1 2026-11-26T10:00:00.003Z host app 123 ID47 [origin ip="10.0.0.1"] the message      RFC 5424
 *   <34>Nov 26 10:00:00 host app[123]: the message                                           RFC 3164
 *
 * Files mostly leave the priority out; that is fine. A time of RFC 3164 has no year and no zone: the year that makes it
 * nearest to now is taken, and the zone that is configured.
 */
import { monthOf } from "./access-log.ts";
import { digits, digitsEnd } from "./digits.ts";
import { type Parsed, type ParsedFields, put, type Read, type TimeSense } from "./format.ts";
import { readRfc3339 } from "./rfc3339.ts";
import { severityOfSyslog } from "./severity.ts";
import { nearestTime } from "./year.ts";

export function syslogReader(sense: TimeSense): Read {
  return (text) => {
    const end = priorityEnd(text);
    if (end < 0) return undefined;
    const parsed = text[end] === "1" && text[end + 1] === " " ? readModern(text, end + 2) : readOld(text, end, sense);
    return parsed === undefined || end === 0 ? parsed : withPriority(parsed, digits(text, 1, end - 2));
  };
}

/** The place behind `<34>`; 0 where there is none, -1 where it is none that could be. */
function priorityEnd(text: string): number {
  if (text[0] !== "<") return 0;
  const end = digitsEnd(text, 1);
  const isPriority = text[end] === ">" && end > 1 && end <= 4 && digits(text, 1, end - 1) <= 191;
  return isPriority ? end + 1 : -1;
}

function withPriority({ fields, time }: Parsed, priority: number): Parsed {
  return {
    fields: { facility: priority >> 3, severity: priority & 7, ...fields },
    time,
    severity: severityOfSyslog(priority & 7),
  };
}

const names = ["host", "app", "pid", "id"] as const;

function readModern(text: string, at: number): Parsed | undefined {
  const timeEnd = wordEnd(text, at);
  const time = readRfc3339(text.slice(at, timeEnd), () => 0)?.nanos;
  if (time === undefined && text.slice(at, timeEnd) !== "-") return undefined;
  const fields: ParsedFields = {};
  let place = timeEnd;
  for (const name of names) {
    if (text[place] !== " ") return undefined;
    const end = wordEnd(text, place + 1);
    const value = text.slice(place + 1, end);
    if (value !== "-") fields[name] = value;
    place = end;
  }
  const behind = readStructured(text, place + 1, fields);
  if (behind < 0) return undefined;
  // A byte order mark says that the message is UTF-8.
  fields.message = text.slice(behind).replace(/^ ?\ufeff?/, "");
  return { fields, time };
}

function wordEnd(text: string, at: number): number {
  const end = text.indexOf(" ", at);
  return end < 0 ? text.length : end;
}

/** `-`, or elements such as `[id name="value" …]`, without spaces between them. Returns the place behind, or -1. */
function readStructured(text: string, at: number, fields: ParsedFields): number {
  if (text[at] === "-") return at + 1;
  if (text[at] !== "[") return -1;
  const data: ParsedFields = {};
  let place = at;
  while (text[place] === "[") {
    place = readElement(text, place + 1, data);
    if (place < 0) return -1;
  }
  fields.data = data;
  return place;
}

function readElement(text: string, at: number, data: ParsedFields): number {
  let place = nameEnd(text, at);
  if (place === at) return -1;
  const element: ParsedFields = {};
  put(data, text.slice(at, place), element);
  while (text[place] === " ") {
    const equals = nameEnd(text, place + 1);
    if (text[equals] !== "=" || text[equals + 1] !== '"') return -1;
    const close = valueEnd(text, equals + 2);
    if (close < 0) return -1;
    put(element, text.slice(place + 1, equals), text.slice(equals + 2, close).replace(/\\(["\\\]])/g, "$1"));
    place = close + 1;
  }
  return text[place] === "]" ? place + 1 : -1;
}

function nameEnd(text: string, at: number): number {
  let end = at;
  while (end < text.length && !' ="]'.includes(text[end]!)) end++;
  return end;
}

function valueEnd(text: string, at: number): number {
  for (let end = at; end < text.length; end++) {
    if (text[end] === "\\") end++;
    else if (text[end] === '"') return end;
  }
  return -1;
}

/** What RFC 3164 found in use: time, host, a tag with a number in brackets. Newer programs write RFC 3339 times. */
function readOld(text: string, at: number, sense: TimeSense): Parsed | undefined {
  const { time, end } = oldTime(text, at, sense);
  if (time === undefined || text[end] !== " ") return undefined;
  const hostEnd = wordEnd(text, end + 1);
  const fields: ParsedFields = { host: text.slice(end + 1, hostEnd) };
  const [tag] = /^[^\s:[]{1,128}(?:\[[^\]\s]{0,64}\])?:/.exec(text.slice(hostEnd + 1, hostEnd + 256)) ?? [];
  if (tag === undefined) return { fields: { ...fields, message: text.slice(hostEnd + 1) }, time };
  const bracket = tag.indexOf("[");
  fields.app = tag.slice(0, bracket < 0 ? -1 : bracket);
  if (bracket >= 0) fields.pid = tag.slice(bracket + 1, -2);
  fields.message = text.slice(hostEnd + 1 + tag.length).replace(/^ /, "");
  return { fields, time };
}

function oldTime(text: string, at: number, sense: TimeSense): { time: bigint | undefined; end: number } {
  const month = monthOf(text.slice(at, at + 3));
  if (month === 0) {
    const read = readRfc3339(text.slice(at, at + 40), sense.offsetOf);
    return { time: read?.nanos, end: at + (read?.end ?? 0) };
  }
  const day = text[at + 4] === " " ? digits(text, at + 5, 1) : digits(text, at + 4, 2);
  const time = { hour: digits(text, at + 7, 2), minute: digits(text, at + 10, 2), second: digits(text, at + 13, 2) };
  const isTime = day > 0 && time.hour >= 0 && time.minute >= 0 && time.second >= 0 && text[at + 9] === ":";
  return { time: isTime ? nearestTime(month, day, time, 0, sense) : undefined, end: at + 15 };
}
