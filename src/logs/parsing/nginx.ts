/**
 * What nginx writes: its access log as it comes (`combined`), and its error log:
 *
 *   2026/11/26 10:00:00 [error] 31#31: *7 open() "/a" failed (2: No such file or directory), client: 203.0.113.7, …
 */
import { readAccess } from "./access-log.ts";
import { nanosOf, secondsOf } from "./civil.ts";
import { digits } from "./digits.ts";
import type { Parsed, ParsedFields, Read, TimeSense } from "./format.ts";
import { severityOf } from "./severity.ts";

const error = /^(\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d) \[(\w+)\] (\d+)#(\d+): (?:\*(\d+) )?/;
/** Names that nginx puts behind its messages. */
const detail = /^(client|server|request|subrequest|upstream|host|referrer): ("?)(.*)\2$/;

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

/** Details stand behind the message, with commas between them; a comma may be in the message as well. */
function setMessage(fields: ParsedFields, text: string): void {
  const parts = text.split(", ");
  let last = parts.length;
  while (last > 1 && detail.test(parts[last - 1]!)) last--;
  fields.message = parts.slice(0, last).join(", ");
  for (const part of parts.slice(last)) {
    const [, name, , value] = detail.exec(part)!;
    fields[name!] = value;
  }
}

function readTime(text: string, offsetOf: TimeSense["offsetOf"]): bigint | undefined {
  const time = { hour: digits(text, 11, 2), minute: digits(text, 14, 2), second: digits(text, 17, 2) };
  const local = secondsOf(digits(text, 0, 4), digits(text, 5, 2), digits(text, 8, 2), time, 0);
  return local === undefined ? undefined : nanosOf(local - offsetOf(local), 0);
}
