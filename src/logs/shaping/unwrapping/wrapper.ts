/** Lines as container runtimes write them: something around each, and long ones in pieces. */
import type { LineRecord } from "../line-record.ts";

/** Takes the wrapping off a record in place. */
export interface Wrapper {
  /** True when the line is whole, false when its next piece follows; undefined when it is not wrapped at all. */
  open(record: LineRecord): boolean | undefined;
}

/** Names of fields to keep beside the message; none is kept where it is undefined. */
export interface KeptFields {
  readonly stream: string | undefined;
  readonly attributes: string | undefined;
}

/** Puts what is to be kept beside the message into fields. */
export function keep(record: LineRecord, kept: KeptFields, attributes?: unknown): void {
  if (kept.stream === undefined && kept.attributes === undefined) return;
  record.fields = { message: record.text };
  if (kept.stream !== undefined && record.stream !== undefined) record.fields[kept.stream] = record.stream;
  if (kept.attributes !== undefined && attributes !== undefined) record.fields[kept.attributes] = attributes;
}
