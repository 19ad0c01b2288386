/** OTLP's requests for logs, decoded by other people's code and held against the rules of both encodings. */
import protobuf from "protobufjs";
import type { SinkRequest } from "./http-sink.ts";

const { root } = protobuf.parse(
  `
  syntax = "proto3";
  message Request { repeated ResourceLogs resource_logs = 1; }
  message ResourceLogs { Resource resource = 1; repeated ScopeLogs scope_logs = 2; string schema_url = 3; }
  message Resource { repeated KeyValue attributes = 1; uint32 dropped_attributes_count = 2; }
  message ScopeLogs { Scope scope = 1; repeated LogRecord log_records = 2; string schema_url = 3; }
  message Scope { string name = 1; string version = 2; repeated KeyValue attributes = 3; }
  message LogRecord {
    fixed64 time_unix_nano = 1; int32 severity_number = 2; string severity_text = 3; AnyValue body = 5;
    repeated KeyValue attributes = 6; uint32 dropped_attributes_count = 7; fixed32 flags = 8;
    bytes trace_id = 9; bytes span_id = 10; fixed64 observed_time_unix_nano = 11; string event_name = 12;
  }
  message KeyValue { string key = 1; AnyValue value = 2; }
  message AnyValue {
    oneof value {
      string string_value = 1; bool bool_value = 2; int64 int_value = 3; double double_value = 4;
      ArrayValue array_value = 5; KeyValueList kvlist_value = 6; bytes bytes_value = 7;
    }
  }
  message ArrayValue { repeated AnyValue values = 1; }
  message KeyValueList { repeated KeyValue values = 1; }
  message Response { PartialSuccess partial_success = 1; }
  message PartialSuccess { int64 rejected_log_records = 1; string error_message = 2; }
  message Status { int32 code = 1; string message = 2; }
`,
);
const requestType = root.lookupType("Request");

/** What a receiver answers, in protocol buffers. */
export function encoded(type: "Response" | "Status", value: object): Uint8Array {
  const message = root.lookupType(type);
  return message.encode(message.fromObject(value)).finish();
}

export interface SentLogs {
  readonly resource: Readonly<Record<string, unknown>>;
  readonly scope: string | undefined;
  readonly records: readonly SentRecord[];
}

export interface SentRecord {
  readonly time?: string;
  readonly observed: string;
  readonly severity?: readonly [number | undefined, string | undefined];
  readonly body: unknown;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly traceId?: string;
  readonly spanId?: string;
  readonly flags?: number;
}

interface Pair {
  readonly key: string;
  readonly value?: Any;
}

interface Any {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string;
  readonly doubleValue?: number;
  readonly arrayValue?: { readonly values?: readonly Any[] };
  readonly kvlistValue?: { readonly values?: readonly Pair[] };
}

interface Request {
  readonly resourceLogs?: readonly {
    readonly resource?: { readonly attributes?: readonly Pair[] };
    readonly scopeLogs?: readonly {
      readonly scope?: { readonly name?: string };
      readonly logRecords?: readonly {
        readonly timeUnixNano?: string;
        readonly observedTimeUnixNano?: string;
        readonly severityNumber?: number;
        readonly severityText?: string;
        readonly body?: Any;
        readonly attributes?: readonly Pair[];
        readonly traceId?: string;
        readonly spanId?: string;
        readonly flags?: number;
      }[];
    }[];
  }[];
}

/** @throws Error with what a receiver would not take */
export function sentIn(request: SinkRequest): SentLogs[] {
  const type = request.headers["content-type"];
  if (type === "application/json") return logsOf(jsonRequest(JSON.parse(request.body.toString("utf8"))));
  if (type !== "application/x-protobuf") throw new Error(`content-type ${type}`);
  const decoded = requestType.toObject(requestType.decode(new Uint8Array(request.body)), {
    longs: String,
    bytes: Array,
  });
  return logsOf(hexIds(decoded));
}

function hexIds(decoded: unknown): Request {
  const inHex = (key: string, value: unknown) =>
    (key === "traceId" || key === "spanId") && Array.isArray(value) ? Buffer.from(value).toString("hex") : value;
  return JSON.parse(JSON.stringify(decoded, inHex)) as Request;
}

/** A message of protobufjs knows exactly the members there are; what it leaves out was none of them. */
function jsonRequest(given: unknown): Request {
  const text = JSON.stringify(given, (key, value) => {
    if (key === "traceId" || key === "spanId") {
      if (!/^([0-9a-f]{32}|[0-9a-f]{16})$/.test(value)) throw new Error(`${key} ${value}`);
      return Buffer.from(value, "hex").toString("base64");
    }
    if (/UnixNano$|^intValue$/.test(key) && typeof value !== "string") throw new Error(`${key} is no text`);
    return value;
  });
  const object = JSON.parse(text) as { [key: string]: unknown };
  const back = requestType.toObject(requestType.fromObject(object), { longs: String, bytes: String });
  if (members(back) !== members(object)) throw new Error(`members that OTLP does not have in ${text}`);
  return hexIds(requestType.toObject(requestType.fromObject(object), { longs: String, bytes: Array }));
}

function members(value: unknown): number {
  if (Array.isArray(value) && value.length === 0) return 0; // which one encoding leaves out
  if (typeof value !== "object" || value === null) return 1;
  return Object.values(value).reduce<number>((sum, member) => sum + members(member), 1);
}

function logsOf({ resourceLogs = [] }: Request): SentLogs[] {
  if (resourceLogs.length === 0) throw new Error("an empty envelope");
  return resourceLogs.map(({ resource, scopeLogs = [] }) => {
    const [only] = scopeLogs;
    if (scopeLogs.length !== 1 || only?.logRecords === undefined) throw new Error("an empty envelope");
    const records = only.logRecords.map((record): SentRecord => {
      const { timeUnixNano, observedTimeUnixNano = "", severityNumber, severityText, traceId, spanId, flags } = record;
      return {
        ...(timeUnixNano === undefined ? {} : { time: timeUnixNano }),
        observed: observedTimeUnixNano,
        ...(severityNumber === undefined ? {} : { severity: [severityNumber, severityText] as const }),
        body: plain(record.body),
        attributes: pairs(record.attributes),
        ...(traceId === undefined ? {} : { traceId }),
        ...(spanId === undefined ? {} : { spanId }),
        ...(flags === undefined ? {} : { flags }),
      };
    });
    return { resource: pairs(resource?.attributes), scope: only.scope?.name, records };
  });
}

function pairs(given: readonly Pair[] = []): Record<string, unknown> {
  const names = given.map(({ key }) => key);
  if (new Set(names).size !== names.length) throw new Error(`an attribute twice in ${names}`);
  return Object.fromEntries(given.map(({ key, value }) => [key, plain(value)]));
}

/** Whole numbers come as `bigint`, so that they are told from others. */
function plain(any: Any | undefined): unknown {
  if (any === undefined) return undefined;
  if (any.stringValue !== undefined) return any.stringValue;
  if (any.boolValue !== undefined) return any.boolValue;
  if (any.intValue !== undefined) return BigInt(any.intValue);
  if (any.doubleValue !== undefined) return any.doubleValue;
  if (any.arrayValue !== undefined) return (any.arrayValue.values ?? []).map(plain);
  if (any.kvlistValue !== undefined) return pairs(any.kvlistValue.values);
  return null;
}
