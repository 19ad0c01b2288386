/** A record taken apart as OpenTelemetry's data model of logs has it. */
import type { LogRecord, Severity } from "../contracts.ts";
import type { Attributes } from "./_otlp-resource.ts";

export interface OtlpRecord {
  /** Nanoseconds since the epoch; undefined where nobody knows. */
  readonly time: bigint | undefined;
  readonly severity: Severity | undefined;
  /** A text, or all fields where none of them is the message. */
  readonly body: unknown;
  readonly attributes: Attributes;
  /** 32 hexadecimal digits. */
  readonly traceId: string | undefined;
  /** 16 of them. */
  readonly spanId: string | undefined;
  readonly flags: number | undefined;
}

/** https://opentelemetry.io/docs/specs/otel/logs/data-model/#field-severitynumber */
export const severityNumbers: Readonly<Record<Severity, number>> = {
  trace: 1,
  debug: 5,
  info: 9,
  warn: 13,
  error: 17,
  fatal: 21,
};

/** Names under which loggers write what they mean, and the ids of the trace they wrote it in. */
const messageNames = ["message", "msg", "body", "log"];
const traceNames = ["trace_id", "traceId", "traceID", "trace.id", "traceid"];
const spanNames = ["span_id", "spanId", "spanID", "span.id", "spanid"];
const flagNames = ["trace_flags", "traceFlags", "trace.flags"];

export function otlpRecord({ fields, text, time, severity }: LogRecord): OtlpRecord {
  const isKnown = time !== undefined && time > 0n;
  const rest: Record<string, unknown> = { ...fields };
  const traceId = takeId(rest, traceNames, 32);
  const spanId = traceId === undefined ? undefined : takeId(rest, spanNames, 16);
  const flags = traceId === undefined ? undefined : takeFlags(rest);
  const ids = { time: isKnown ? time : undefined, severity, traceId, spanId, flags };
  if (fields === undefined) return { ...ids, body: text, attributes: [] };
  const message = messageNames.find((name) => typeof rest[name] === "string");
  if (message === undefined) return { ...ids, body: rest, attributes: [] };
  const body = rest[message];
  delete rest[message];
  return { ...ids, body, attributes: Object.entries(rest) };
}

/** An id of that many hexadecimal digits, not all of them 0; it is no field any more then. */
function takeId(fields: Record<string, unknown>, names: readonly string[], digits: number): string | undefined {
  for (const name of names) {
    const value = fields[name];
    if (typeof value !== "string" || value.length !== digits || !/^[0-9a-fA-F]+$/.test(value) || /^0+$/.test(value))
      continue;
    delete fields[name];
    return value.toLowerCase();
  }
  return undefined;
}

/** A byte, as a number or as two hexadecimal digits. */
function takeFlags(fields: Record<string, unknown>): number | undefined {
  for (const name of flagNames) {
    const value = fields[name];
    const isHex = typeof value === "string" && /^[0-9a-fA-F]{2}$/.test(value);
    const flags = isHex ? Number.parseInt(value, 16) : value;
    if (typeof flags !== "number" || !Number.isInteger(flags) || flags < 0 || flags > 255) continue;
    delete fields[name];
    return flags;
  }
  return undefined;
}
