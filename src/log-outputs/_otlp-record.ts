/** A record taken apart as OpenTelemetry's data model of logs has it. */
import type { LogFields, LogRecord, Severity } from "../contracts.ts";
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
  const known = time !== undefined && time > 0n ? time : undefined;
  if (fields === undefined)
    return {
      time: known,
      severity,
      body: text,
      attributes: [],
      traceId: undefined,
      spanId: undefined,
      flags: undefined,
    };
  const traceName = nameOfId(fields, traceNames, 32);
  const spanName = traceName && nameOfId(fields, spanNames, 16);
  const flagName = traceName && flagNames.find((name) => flagsOf(fields[name]) !== undefined);
  const message = messageNames.find((name) => typeof fields[name] === "string");
  const taken = [traceName, spanName, flagName, message];
  const rest: [string, unknown][] = [];
  for (const name in fields) if (!taken.includes(name)) rest.push([name, fields[name]]);
  return {
    time: known,
    severity,
    body: message === undefined ? Object.fromEntries(rest) : fields[message],
    attributes: message === undefined ? [] : rest,
    traceId: idIn(fields, traceName),
    spanId: idIn(fields, spanName),
    flags: flagName === undefined ? undefined : flagsOf(fields[flagName]),
  };
}

/** The first of the names under which such an id stands: so many hexadecimal digits, not all of them 0. */
function nameOfId(fields: LogFields, names: readonly string[], digits: number): string | undefined {
  return names.find((name) => {
    const value = fields[name];
    return typeof value === "string" && value.length === digits && /^[0-9a-fA-F]+$/.test(value) && !/^0+$/.test(value);
  });
}

function idIn(fields: LogFields, name: string | undefined): string | undefined {
  return name === undefined ? undefined : String(fields[name]).toLowerCase();
}

/** A byte, as a number or as two hexadecimal digits. */
function flagsOf(value: unknown): number | undefined {
  const isHex = typeof value === "string" && /^[0-9a-fA-F]{2}$/.test(value);
  const flags = isHex ? Number.parseInt(value, 16) : value;
  return typeof flags === "number" && Number.isInteger(flags) && flags >= 0 && flags <= 255 ? flags : undefined;
}
