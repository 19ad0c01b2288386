/**
 * Values of any shape as OpenTelemetry has them, in both encodings.
 *
 *   AnyValue { 1: string, 2: bool, 3: int64, 4: double, 5: ArrayValue { 1: values }, 6: KeyValueList { 1: KeyValue } }
 *   KeyValue { 1: key, 2: value }
 */
import { ByteWriter } from "./_byte-writer.ts";
import type { Attributes } from "./_otlp-resource.ts";

/** Deeper values are written as JSON text: receivers bound the depth of messages, mostly at 100. */
const mostDepth = 20;

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** A value that is nested too deeply, or that neither encoding knows, as text. */
function asText(value: unknown): string {
  return (typeof value === "string" ? value : isMap(value) ? JSON.stringify(value) : String(value)).toWellFormed();
}

/** Writes the members of an AnyValue; none for null. */
export function writeAny(writer: ByteWriter, value: unknown, depth = 0): void {
  if (value === null || value === undefined) return;
  if (typeof value === "boolean") {
    writer.byte(0x10);
    writer.byte(value ? 1 : 0);
  } else if (typeof value === "number" && Number.isSafeInteger(value)) {
    writer.byte(0x18);
    writer.signed(value);
  } else if (typeof value === "number") {
    writer.byte(0x21);
    writer.double(value);
  } else if (isMap(value) && depth < mostDepth) writeNested(writer, value, depth + 1);
  else {
    writer.byte(0x0a);
    const start = writer.open();
    writer.text(asText(value));
    writer.close(start);
  }
}

function writeNested(writer: ByteWriter, value: Record<string, unknown>, depth: number): void {
  writer.byte(Array.isArray(value) ? 0x2a : 0x32);
  const start = writer.open();
  if (!Array.isArray(value))
    for (const [key, member] of Object.entries(value)) writePair(writer, 0x0a, key, member, depth);
  else
    for (const member of value) {
      writer.byte(0x0a);
      const inner = writer.open();
      writeAny(writer, member, depth);
      writer.close(inner);
    }
  writer.close(start);
}

/** @param field the tag of the KeyValue in what it stands in */
export function writePair(writer: ByteWriter, field: number, key: string, value: unknown, depth = 0): void {
  writer.byte(field);
  const start = writer.open();
  writer.copy(keyBytes(key));
  const inner = writer.open();
  writeAny(writer, value, depth);
  writer.close(inner);
  writer.close(start);
}

/** Keys are few; where they are not, they are not remembered. */
const mostKeys = 2_000;
const knownKeys = new Map<string, Uint8Array>();

/** A KeyValue's key, and the tag of its value. */
function keyBytes(key: string): Uint8Array {
  const known = knownKeys.get(key);
  if (known !== undefined) return known;
  const name = Buffer.from(key.toWellFormed());
  const writer = new ByteWriter();
  writer.byte(0x0a);
  writer.varint(name.length);
  writer.copy(name);
  writer.byte(0x12);
  const bytes = writer.from(0);
  if (knownKeys.size < mostKeys) knownKeys.set(key, bytes);
  return bytes;
}

/** The same as JSON has it: 64-bit numbers are texts. */
export function jsonAny(value: unknown, depth = 0): object {
  if (value === null || value === undefined) return {};
  if (typeof value === "boolean") return { boolValue: value };
  if (typeof value === "number" && Number.isSafeInteger(value)) return { intValue: String(value) };
  if (typeof value === "number") return { doubleValue: value };
  if (!isMap(value) || depth >= mostDepth) return { stringValue: asText(value) };
  if (Array.isArray(value)) return { arrayValue: { values: value.map((member) => jsonAny(member, depth + 1)) } };
  return { kvlistValue: { values: jsonPairs(Object.entries(value), depth + 1) } };
}

export function jsonPairs(attributes: Attributes, depth = 0): object[] {
  return attributes.map(([key, value]) => ({ key, value: jsonAny(value, depth) }));
}
