/** Forms of lines: what a reader makes of a text, and where it says time and severity. */
import type { Severity } from "../../../contracts.ts";
import type { OffsetOf } from "./zone.ts";

export type ParsedFields = Record<string, unknown>;

/** What a text says. */
export interface Parsed {
  readonly fields: ParsedFields;
  /** Where the form itself has a place for them. */
  readonly time?: bigint | undefined;
  readonly severity?: Severity | undefined;
}

/** Undefined when the text has another form. */
export type Read = (text: string) => Parsed | undefined;

/** What a form needs to read times. */
export interface TimeSense {
  /** Of local times without an offset. */
  readonly offsetOf: OffsetOf;
  /** Wall time, for dates without a year. */
  readonly nowMs: () => number;
}

/** Text longer than this is not looked at with regular expressions, which could take for ever. */
export const mostRegexText = 64 * 1024;

/** Sets a field by any name: `__proto__` would otherwise change the object instead. */
export function put(fields: ParsedFields, name: string, value: unknown): void {
  if (name !== "__proto__") fields[name] = value;
  else Object.defineProperty(fields, name, { value, enumerable: true, configurable: true, writable: true });
}
