/**
 * What nginx writes: its access log as it comes (`combined`), and its error log:
 *
 *   2026/11/26 10:00:00 [error] 31#31: *7 open() "/a" failed (2: No such file or directory), client: 203.0.113.7, …
 */
import { readAccess } from "./access-log.ts";
import { nanosOf, secondsOf } from "./civil.ts";
import { digits } from "./digits.ts";
import { type Parsed, type ParsedFields, put, type Read, type TimeSense } from "./format.ts";
import { severityOf } from "./severity.ts";

const error = /^(\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d) \[(\w+)\] (\d+)#(\d+): (?:\*(\d+) )?/;
/** nginx cuts its lines at 2 KiB; the pattern takes time that grows with the square of the length. */
const mostDetailText = 8 * 1024;
/** What nginx puts behind its messages, beginning with the client. A value in quotes may have commas and quotes in it. */
const detail = /, (\w+): (?:"(.*?)"(?=, \w+: |$)|([^,]*))/y;

export function nginxReader({ offsetOf }: TimeSense): Read {
  return (text) => (text[4] === "/" ? readError(text, offsetOf) : readAccess(text));
}

function readError(text: string, offsetOf: TimeSense["offsetOf"]): Parsed | undefined {
  const head = error.exec(text);
  if (head === null) return undefined;
  const [whole, time, level, pid, tid, connection] = head;
  const fields: ParsedFields = { time, level, pid: Number(pid), tid: Number(tid) };
  if (connection !== undefined) fields.connection = Number(connection);
  setMessage(fields, text.slice(whole.length));
  return { fields, time: readTime(time!, offsetOf), severity: severityOf(level) };
}

function setMessage(fields: ParsedFields, text: string): void {
  const client = text.lastIndexOf(", client: ");
  fields.message = client < 0 ? text : text.slice(0, client);
  if (client < 0 || text.length > mostDetailText) return;
  detail.lastIndex = client;
  for (let found = detail.exec(text); found !== null; found = detail.exec(text)) {
    const [, name, quoted, plain] = found;
    put(fields, name!, quoted ?? plain);
  }
}

function readTime(text: string, offsetOf: TimeSense["offsetOf"]): bigint | undefined {
  const time = { hour: digits(text, 11, 2), minute: digits(text, 14, 2), second: digits(text, 17, 2) };
  const local = secondsOf(digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2), time, 0);
  return local === undefined ? undefined : nanosOf(local - offsetOf(local), 0);
}
