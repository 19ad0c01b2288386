/**
 * Loki's push request, in protocol buffers inside snappy, or in JSON.
 *
 *   PushRequest { 1: repeated Stream { 1: labels, 2: repeated Entry { 1: Timestamp { 1: seconds, 2: nanos }, 2: line,
 *                                                                     3: repeated LabelPair { 1: name, 2: value } } } }
 */
import type { Batch } from "../contracts.ts";
import { ByteWriter, varintBytes } from "./_byte-writer.ts";
import { Entries, type EntryRules } from "./_loki-entries.ts";
import { type LabelRules, type Labels, labelsText, streamsOf } from "./_loki-streams.ts";
import { snappyPrefix } from "./_snappy.ts";

export type LokiRules = LabelRules & EntryRules;

const textField1 = 0x0a;
const textField2 = 0x12;
const textField3 = 0x1a;
const varintField1 = 0x08;
const varintField2 = 0x10;
/** What an entry takes beside its line, mostly. */
const entryBytes = 32;

function sizeOf({ bytes, count }: Batch): number {
  return bytes + count * entryBytes;
}

/** Makes requests of batches, in memory that it uses again. */
export class LokiProtobuf {
  private readonly rules: LokiRules;
  private readonly writer = new ByteWriter();
  private readonly entries: Entries;

  constructor(rules: LokiRules) {
    this.rules = rules;
    this.entries = new Entries(rules, (...entry) => this.entry(...entry));
  }

  encode(batch: Batch, wallMs: number): readonly Uint8Array[] {
    const { writer } = this;
    this.rules.stamps.begin(wallMs);
    writer.reset(sizeOf(batch));
    const streams = streamsOf(batch, this.rules).map(({ labels, items }) => {
      const start = writer.length;
      for (const item of items) this.entries.item(item);
      return { head: Buffer.from(labelsText(labels)), start, end: writer.length };
    });
    const parts = streams.flatMap(({ head, start, end }) => [streamHead(head, end - start), writer.from(start, end)]);
    return [snappyPrefix(parts.reduce((sum, { length }) => sum + length, 0)), ...parts];
  }

  private entry(seconds: number, nanos: number, bytes: Uint8Array, start: number, end: number, metadata: Labels): void {
    const { writer } = this;
    const lineBytes = end - start;
    const timeBytes = (seconds > 0 ? 1 + varintBytes(seconds) : 0) + (nanos > 0 ? 1 + varintBytes(nanos) : 0);
    const pairs = metadata.map(pairBytes);
    let length = 2 + timeBytes + 1 + varintBytes(lineBytes) + lineBytes;
    for (const pair of pairs) length += 1 + varintBytes(pair.length) + pair.length;
    writer.byte(textField2);
    writer.varint(length);
    writer.byte(textField1);
    writer.byte(timeBytes);
    if (seconds > 0) {
      writer.byte(varintField1);
      writer.varint(seconds);
    }
    if (nanos > 0) {
      writer.byte(varintField2);
      writer.varint(nanos);
    }
    writer.byte(textField2);
    writer.varint(lineBytes);
    writer.copy(bytes, start, end);
    for (const pair of pairs) {
      writer.byte(textField3);
      writer.varint(pair.length);
      writer.copy(pair);
    }
  }
}

/** Everything of a stream before its entries. */
function streamHead(labels: Uint8Array, entries: number): Uint8Array {
  const writer = new ByteWriter();
  writer.byte(textField1);
  writer.varint(1 + varintBytes(labels.length) + labels.length + entries);
  writer.byte(textField1);
  writer.varint(labels.length);
  writer.copy(labels);
  return writer.from(0);
}

function pairBytes([name, value]: Labels[number]): Uint8Array {
  const writer = new ByteWriter();
  for (const [field, text] of [
    [textField1, Buffer.from(name)],
    [textField2, Buffer.from(value)],
  ] as const) {
    writer.byte(field);
    writer.varint(text.length);
    writer.copy(text);
  }
  return writer.from(0);
}

/** The same for who cannot take protocol buffers. */
export class LokiJson {
  private readonly rules: LokiRules;
  private readonly writer = new ByteWriter();
  private readonly entries: Entries;
  private isFirst = true;

  constructor(rules: LokiRules) {
    this.rules = rules;
    this.entries = new Entries(rules, (...entry) => this.entry(...entry));
  }

  encode(batch: Batch, wallMs: number): readonly Uint8Array[] {
    const { writer } = this;
    this.rules.stamps.begin(wallMs);
    writer.reset(sizeOf(batch));
    writer.text('{"streams":[');
    streamsOf(batch, this.rules).forEach(({ labels, items }, at) => {
      writer.text(`${at === 0 ? "" : ","}{"stream":${JSON.stringify(Object.fromEntries(labels))},"values":[`);
      this.isFirst = true;
      for (const item of items) this.entries.item(item);
      writer.text("]}");
    });
    writer.text("]}");
    return [writer.from(0)];
  }

  private entry(seconds: number, nanos: number, bytes: Uint8Array, start: number, end: number, metadata: Labels): void {
    const { writer } = this;
    writer.text(`${this.isFirst ? "" : ","}["${seconds}${String(nanos).padStart(9, "0")}",`);
    writer.quote(bytes, start, end);
    writer.text(metadata.length === 0 ? "]" : `,${JSON.stringify(Object.fromEntries(metadata))}]`);
    this.isFirst = false;
  }
}
