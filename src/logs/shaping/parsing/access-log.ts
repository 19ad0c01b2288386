/**
 * Access logs as nginx and Apache httpd write them, common or combined; what stands behind the quoted agent is left
 * under `rest`:
 *
 *   203.0.113.7 - ada [26/Nov/2026:10:00:00 +0000] "GET /a HTTP/1.1" 200 1234 "https://example.com/" "curl/8.5"
 */
import type { Severity } from "../../../contracts.ts";
import { nanosOf, secondsOf } from "./civil.ts";
import { digits } from "./digits.ts";
import type { Parsed, ParsedFields } from "./format.ts";
import { offsetAt } from "./rfc3339.ts";

const months: Readonly<Record<string, number>> = {
  Jan: 1,
  Feb: 2,
  Mar: 3,
  Apr: 4,
  May: 5,
  Jun: 6,
  Jul: 7,
  Aug: 8,
  Sep: 9,
  Oct: 10,
  Nov: 11,
  Dec: 12,
};

/** The number of a month's English abbreviation; 0 when it is none. */
export function monthOf(name: string): number {
  return Object.hasOwn(months, name) ? months[name]! : 0;
}

export function readAccess(text: string): Parsed | undefined {
  const clientEnd = text.indexOf(" ");
  const open = text.indexOf(" [", clientEnd);
  const close = text.indexOf('] "', open);
  const request = close + 3;
  const requestEnd = close < 0 ? -1 : quoteEnd(text, request);
  if (clientEnd <= 0 || open < 0 || requestEnd < 0) return undefined;
  const [status, size, quotesAt] = numbers(text, requestEnd + 1);
  if (status === undefined) return undefined;
  const time = text.slice(open + 2, close);
  const fields: ParsedFields = { client: text.slice(0, clientEnd) };
  const userAt = text.indexOf(" ", clientEnd + 1) + 1;
  setUnlessDash(fields, "user", userAt > 0 && userAt <= open ? text.slice(userAt, open) : "-");
  fields.time = time;
  setRequest(fields, text.slice(request, requestEnd));
  fields.status = status;
  fields.size = size;
  setQuoted(fields, text, quotesAt);
  return { fields, time: readTime(time), severity: severityOfStatus(status) };
}

/** `26/Nov/2026:10:00:00 +0100` */
function readTime(text: string): bigint | undefined {
  const [day, year] = [digits(text, 0, 2), digits(text, 7, 4)];
  const time = { hour: digits(text, 12, 2), minute: digits(text, 15, 2), second: digits(text, 18, 2) };
  const offset = offsetAt(text, 21);
  if (day < 0 || year < 0 || time.hour < 0 || time.minute < 0 || time.second < 0 || offset === undefined)
    return undefined;
  const seconds = secondsOf(year, monthOf(text.slice(3, 6)), day, time, offset.seconds);
  return seconds === undefined ? undefined : nanosOf(seconds, 0);
}

/** The place of the closing quote; what is in quotes may have escaped ones. -1 where it is not closed. */
function quoteEnd(text: string, at: number): number {
  let end = text.indexOf('"', at);
  while (end > 0 && isEscaped(text, end)) end = text.indexOf('"', end + 1);
  return end;
}

function isEscaped(text: string, at: number): boolean {
  let backslashes = 0;
  while (text[at - 1 - backslashes] === "\\") backslashes++;
  return backslashes % 2 === 1;
}

/** ` 200 1234` at a place: status, size (Apache's `-` is 0), and the place behind. */
function numbers(text: string, at: number): [status: number | undefined, size: number, end: number] {
  const status = digits(text, at + 1, 3);
  if (status < 0 || text[at] !== " " || text[at + 4] !== " ") return [undefined, 0, 0];
  const space = text.indexOf(" ", at + 5);
  const end = space < 0 ? text.length : space;
  const size = text.slice(at + 5, end);
  if (size !== "-" && (size === "" || digits(size, 0, size.length) < 0)) return [undefined, 0, 0];
  return [status, size === "-" ? 0 : Number(size), end];
}

function setRequest(fields: ParsedFields, request: string): void {
  const methodEnd = request.indexOf(" ");
  const pathEnd = request.lastIndexOf(" ");
  if (methodEnd <= 0 || pathEnd <= methodEnd) {
    fields.request = request;
    return;
  }
  fields.method = request.slice(0, methodEnd);
  fields.path = request.slice(methodEnd + 1, pathEnd);
  fields.protocol = request.slice(pathEnd + 1);
}

const inQuotes = ["referer", "agent"];

function setQuoted(fields: ParsedFields, text: string, at: number): void {
  let place = at;
  for (const name of inQuotes) {
    if (text[place] !== " " || text[place + 1] !== '"') break;
    const end = quoteEnd(text, place + 2);
    if (end < 0) break;
    setUnlessDash(fields, name, text.slice(place + 2, end).replaceAll('\\"', '"'));
    place = end + 1;
  }
  const rest = text.slice(place).trim();
  if (rest !== "") fields.rest = rest;
}

function setUnlessDash(fields: ParsedFields, name: string, value: string): void {
  if (value !== "-" && value !== "") fields[name] = value;
}

function severityOfStatus(status: number): Severity {
  if (status >= 500) return "error";
  return status >= 400 ? "warn" : "info";
}
