/**
 * Lines of klog, which Kubernetes itself writes with:
 *
 *   I1126 10:00:00.123456   12345 server.go:42] the message
 */
import { digits, digitsEnd, fraction } from "./digits.ts";
import type { Parsed, Read, TimeSense } from "./format.ts";
import { severityOf } from "./severity.ts";
import { nearestTime } from "./year.ts";

export function klogReader(sense: TimeSense): Read {
  return (text) => readKlog(text, sense);
}

function readKlog(text: string, sense: TimeSense): Parsed | undefined {
  const level = text[0];
  const isHead =
    level !== undefined && "IWEF".includes(level) && text[5] === " " && text[8] === ":" && text[11] === ":";
  const [month, day] = [digits(text, 1, 2), digits(text, 3, 2)];
  const time = { hour: digits(text, 6, 2), minute: digits(text, 9, 2), second: digits(text, 12, 2) };
  if (!isHead || month < 0 || day < 0 || time.hour < 0 || time.minute < 0 || time.second < 0) return undefined;
  const timeEnd = text[14] === "." ? digitsEnd(text, 15) : 14;
  const threadAt = spacesEnd(text, timeEnd);
  const threadEnd = digitsEnd(text, threadAt);
  const close = text.indexOf("] ", threadEnd);
  const colon = text.lastIndexOf(":", close);
  if (threadEnd === threadAt || text[threadEnd] !== " " || close < 0 || colon < threadEnd) return undefined;
  const line = text.slice(colon + 1, close);
  const fields = {
    level,
    thread: Number(text.slice(threadAt, threadEnd)),
    file: text.slice(threadEnd + 1, colon),
    line: Number(line),
    message: text.slice(close + 2),
  };
  if (Number.isNaN(fields.line) || line === "") return undefined;
  const nanos = nearestTime(month, day, time, timeEnd > 15 ? fraction(text, 15, timeEnd) : 0, sense);
  return nanos === undefined ? undefined : { fields, time: nanos, severity: severityOf(level) };
}

function spacesEnd(text: string, at: number): number {
  let end = at;
  while (text[end] === " ") end++;
  return end;
}
