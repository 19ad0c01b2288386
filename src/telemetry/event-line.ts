/** How one event is written: its fields made safe, its sentence, and the line, as JSON or for a terminal. */
import type { Level } from "../events.ts";

export interface EventEntry {
  readonly time: Date;
  readonly level: Level;
  readonly event: string;
  readonly message: string;
  /** Already safe. */
  readonly fields: Record<string, unknown>;
}

/** Names whose values are never written, whatever they hold. */
const secretName = /passw|secret|token|authorization|cookie|credential|api[-_]?key|private[-_]?key/i;

/** User and password in a URL. */
const userInfo = /\b([a-z][a-z0-9+.-]*:\/\/)[^\s/?#@]+@/gi;

const redacted = "[redacted]";
const longestText = 2048;
const longestList = 50;

/** Fields as they may be written: no secrets, no endless texts, errors as their messages, undefined left out. */
export function safeFields(fields: Record<string, unknown>): Record<string, unknown> {
  const safe: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) safe[name] = secretName.test(name) ? redacted : safeValue(value);
  }
  return safe;
}

function safeValue(value: unknown): unknown {
  if (typeof value === "number" || typeof value === "boolean" || value === null) return value;
  if (Array.isArray(value)) return value.slice(0, longestList).map(safeValue);
  if (value instanceof Error) return safeText(value.message === "" ? value.name : value.message);
  return safeText(typeof value === "object" ? objectText(value) : String(value));
}

function objectText(value: object): string {
  try {
    return JSON.stringify(value, (_, member) => (typeof member === "bigint" ? String(member) : member));
  } catch {
    return "[an object that cannot be written]";
  }
}

function safeText(text: string): string {
  const safe = text.replace(userInfo, `$1${redacted}@`);
  return safe.length <= longestText ? safe : `${safe.slice(0, longestText)}… (${safe.length} characters)`;
}

/**
 * The text with each `{field}` replaced by the field's value, control characters by spaces; a list's parts are put
 * between `separator`s, and a field that is missing leaves `-`.
 */
export function sentence(text: string, fields: Record<string, unknown>, separator: string): string {
  return text.replace(/\{(\w+)\}/g, (_, name: string) => {
    const value = fields[name];
    return Array.isArray(value) ? value.map(printable).join(separator) : printable(value ?? "-");
  });
}

function printable(value: unknown): string {
  return String(value).replaceAll(/[\x00-\x1f\x7f-\x9f]+/g, " ");
}

/** One JSON object and a newline. The event's own members come first and cannot be replaced by a field. */
export function jsonLine({ time, level, event, message, fields }: EventEntry): string {
  const own = { time: time.toISOString(), level, event, message };
  return `${JSON.stringify({ ...own, ...fields, ...own })}\n`;
}

/** `03:04:05 warn  message`: local time, for a terminal. */
export function textLine({ time, level, message }: EventEntry): string {
  return `${time.toTimeString().slice(0, 8)} ${level.padEnd(5)} ${message}\n`;
}
