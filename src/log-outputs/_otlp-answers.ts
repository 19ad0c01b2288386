/** What a receiver of OTLP says besides its status, in the encoding it was asked in. */
import type { Answer } from "../net/call.ts";

export interface PartialSuccess {
  readonly rejected: number;
  readonly message: string;
}

/** ExportLogsServiceResponse { 1: partial_success { 1: int64 rejected_log_records, 2: string error_message } } */
export function partialSuccess(answer: Answer): PartialSuccess | undefined {
  const { rejected, message } = isJson(answer) ? fromJson(answer.body) : fromProtobuf(answer.body);
  return rejected === 0 && message === "" ? undefined : { rejected, message: message.slice(0, 300) };
}

/** google.rpc.Status { 1: int32 code, 2: string message }; undefined where the body is none. */
export function statusMessage(answer: Answer): string | undefined {
  if (isJson(answer)) {
    const { message } = membersOf(answer.body);
    return typeof message === "string" && message !== "" ? message.slice(0, 300) : undefined;
  }
  if (!/^application\/x-protobuf/i.test(answer.field("content-type") ?? "")) return undefined;
  const message = new Map(protobufFields(answer.body)).get(2);
  return message instanceof Uint8Array ? Buffer.from(message).toString("utf8").slice(0, 300) : undefined;
}

function isJson(answer: Answer): boolean {
  return /^application\/json/i.test(answer.field("content-type") ?? "");
}

function fromJson(body: Uint8Array): PartialSuccess {
  const { partialSuccess: partial } = membersOf(body);
  const { rejectedLogRecords, errorMessage } = isMembers(partial) ? partial : {};
  const rejected = Number(rejectedLogRecords ?? 0);
  const message = typeof errorMessage === "string" ? errorMessage : "";
  return { rejected: Number.isSafeInteger(rejected) && rejected > 0 ? rejected : 0, message };
}

function fromProtobuf(body: Uint8Array): PartialSuccess {
  const partial = new Map(protobufFields(body)).get(1);
  const fields = new Map(partial instanceof Uint8Array ? protobufFields(partial) : []);
  const rejected = fields.get(1);
  const message = fields.get(2);
  return {
    rejected: typeof rejected === "number" && Number.isSafeInteger(rejected) ? rejected : 0,
    message: message instanceof Uint8Array ? Buffer.from(message).toString("utf8") : "",
  };
}

function isMembers(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function membersOf(body: Uint8Array): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString("utf8"));
    return isMembers(value) ? value : {};
  } catch {
    return {};
  }
}

/** The fields of a message: numbers and runs of bytes by field number. What is no message ends where it stops being one. */
function protobufFields(bytes: Uint8Array): [field: number, value: number | Uint8Array][] {
  const fields: [number, number | Uint8Array][] = [];
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let scale = 1; at < bytes.length; scale *= 128) {
      const byte = bytes[at++]!;
      value += (byte & 127) * scale;
      if (byte < 128) return value;
    }
    return Number.NaN;
  };
  while (at < bytes.length) {
    const tag = varint();
    const kind = tag % 8;
    const length = kind === 1 ? 8 : kind === 5 ? 4 : varint();
    if (Number.isNaN(length) || (kind !== 0 && (kind > 5 || kind === 3 || kind === 4 || at + length > bytes.length)))
      break;
    fields.push([Math.floor(tag / 8), kind === 0 ? length : bytes.subarray(at, at + length)]);
    if (kind !== 0) at += length;
  }
  return fields;
}
