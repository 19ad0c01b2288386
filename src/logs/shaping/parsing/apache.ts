/**
 * What Apache httpd writes: its access log (`common` or `combined`), and its error log:
 *
 *   [Thu Nov 26 10:00:00.123456 2026] [core:error] [pid 9:tid 140] [client 203.0.113.7:5] AH00128: File does not exist: /a
 */
import { readAccess } from "./access-log.ts";
import type { Parsed, ParsedFields, Read, TimeSense } from "./format.ts";
import { severityOf } from "./severity.ts";
import type { TimeReader } from "./time.ts";
import { patternReader } from "./time-pattern.ts";

const error =
  /^\[([^\]]+)\] \[(?:([^:\]]*):)?(\w+)\] (?:\[pid (\d+)(?::tid (\d+))?\] )?(?:\[client ([^\]]+)\] )?(?:(AH\d+): )?/;

export function apacheReader({ offsetOf, nowMs }: TimeSense): Read {
  const fine = patternReader("%a %b %e %H:%M:%S.%f %Y", offsetOf, nowMs);
  const coarse = patternReader("%a %b %e %H:%M:%S %Y", offsetOf, nowMs);
  const readTime: TimeReader = (value) => fine(value) ?? coarse(value);
  return (text) => (text[0] === "[" ? readError(text, readTime) : readAccess(text));
}

function readError(text: string, readTime: TimeReader): Parsed | undefined {
  const head = error.exec(text);
  if (head === null) return undefined;
  const [whole, time, module, level, pid, tid, client, code] = head;
  const found = { time, module, level, pid: numberOf(pid), tid: numberOf(tid), client, code };
  const fields: ParsedFields = Object.fromEntries(
    Object.entries(found).filter(([, value]) => value !== undefined && value !== ""),
  );
  fields.message = text.slice(whole.length);
  return { fields, time: readTime(time), severity: severityOf(level?.replace(/\d$/, "")) };
}

function numberOf(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Number(text);
}
