/**
 * OTLP's request for logs, in protocol buffers or in JSON (opentelemetry-proto, `logs/v1/logs.proto`).
 *
 *   Request { 1: ResourceLogs { 1: Resource { 1: attributes }, 2: ScopeLogs { 1: Scope, 2: LogRecord } } }
 *   LogRecord { 1: time fixed64, 2: severity number, 3: severity text, 5: body, 6: attributes, 8: flags fixed32,
 *               9: trace id, 10: span id, 11: observed time fixed64 }
 */
import type { Batch, Block, LogRecord, LogSource } from "../contracts.ts";
import { version } from "../version.ts";
import { ByteWriter, varintBytes } from "./_byte-writer.ts";
import { eachLineOf, unchangedBytes } from "./_items.ts";
import { otlpRecord, severityNumbers } from "./_otlp-record.ts";
import { type Attributes, resourceOf } from "./_otlp-resource.ts";
import { jsonAny, jsonPairs, writeAny, writePair } from "./_otlp-values.ts";
import type { Stamps } from "./_stamps.ts";

export interface OtlpRules {
  /** Attributes of every resource; they win over those of sources. */
  readonly resource: Readonly<Record<string, string>>;
  readonly stamps: Stamps;
  readonly onMended: () => void;
}

/** Blocks of the sources that share a resource and a path. */
interface Group {
  readonly source: LogSource;
  readonly blocks: Block[];
}

function groupsOf({ blocks }: Batch): Group[] {
  const groups = new Map<LogSource, Group>();
  for (const block of blocks.filter(({ count }) => count > 0)) {
    const group = groups.get(block.source);
    if (group === undefined) groups.set(block.source, { source: block.source, blocks: [block] });
    else group.blocks.push(block);
  }
  return [...groups.values()];
}

/** What every record of a source says of it. */
function pathOf({ path }: LogSource): Attributes {
  return path === "" ? [] : [["log.file.path", path]];
}

/** What a record takes beside its line and the path, mostly. */
const recordBytes = 32;

/** Calls `line` for what nothing looked into, `record` for the rest. */
function eachItem(
  block: Block,
  onMended: () => void,
  line: (bytes: Uint8Array, start: number, end: number) => void,
  record: (record: LogRecord) => void,
): void {
  if (block.records === undefined) eachLineOf(block, line, onMended);
  else
    for (const one of block.records) {
      const bytes = one.time === undefined && one.severity === undefined ? unchangedBytes(one) : undefined;
      if (bytes === undefined) record(one);
      else line(bytes, 0, bytes.length);
    }
}

export class OtlpProtobuf {
  private readonly rules: OtlpRules;
  private readonly writer = new ByteWriter();

  constructor(rules: OtlpRules) {
    this.rules = rules;
  }

  encode(batch: Batch, wallMs: number): readonly Uint8Array[] {
    const { writer } = this;
    this.rules.stamps.begin(wallMs);
    const groups = groupsOf(batch);
    const pathBytes = Math.max(...groups.map(({ source }) => source.path.length + 24));
    writer.reset(batch.bytes + batch.count * (recordBytes + pathBytes));
    const written = groups.map(({ source, blocks }) => {
      const start = writer.length;
      const path = pairsBytes(0x32, pathOf(source));
      for (const block of blocks) this.block(block, path);
      return { source, start, end: writer.length };
    });
    return written.flatMap(({ source, start, end }) => [this.head(source, end - start), writer.from(start, end)]);
  }

  /** Everything before the records of a source. */
  private head(source: LogSource, records: number): Uint8Array {
    const resource = pairsBytes(0x0a, resourceOf(source, this.rules.resource));
    const scopeLogs = scopeBytes.length + records;
    const writer = new ByteWriter();
    writer.byte(0x0a);
    writer.varint(1 + varintBytes(resource.length) + resource.length + 1 + varintBytes(scopeLogs) + scopeLogs);
    writer.byte(0x0a);
    writer.varint(resource.length);
    writer.copy(resource);
    writer.byte(0x12);
    writer.varint(scopeLogs);
    writer.copy(scopeBytes);
    return writer.from(0);
  }

  private block(block: Block, path: Uint8Array): void {
    const line = (bytes: Uint8Array, start: number, end: number) => this.line(bytes, start, end, path);
    eachItem(block, this.rules.onMended, line, (record) => this.record(record, path));
  }

  private line(bytes: Uint8Array, start: number, end: number, path: Uint8Array): void {
    const { writer } = this;
    const { stamps } = this.rules;
    const lineBytes = end - start;
    const body = 1 + varintBytes(lineBytes) + lineBytes;
    writer.byte(0x12);
    writer.varint(1 + varintBytes(body) + body + path.length + 9);
    writer.byte(0x2a);
    writer.varint(body);
    writer.byte(0x0a);
    writer.varint(lineBytes);
    writer.copy(bytes, start, end);
    writer.copy(path);
    writer.byte(0x59);
    writer.fixed64Of(stamps.low, stamps.high);
    stamps.next();
  }

  private record(given: LogRecord, path: Uint8Array): void {
    const { writer } = this;
    const { stamps } = this.rules;
    const { time, severity, body, attributes, traceId, spanId, flags } = otlpRecord(given);
    writer.byte(0x12);
    const start = writer.open();
    if (time !== undefined) {
      writer.byte(0x09);
      writer.fixed64(BigInt.asUintN(64, time));
    }
    if (severity !== undefined) {
      writer.byte(0x10);
      writer.byte(severityNumbers[severity]);
      writer.byte(0x1a);
      writer.byte(severity.length);
      writer.text(severity.toUpperCase());
    }
    writer.byte(0x2a);
    const inner = writer.open();
    writeAny(writer, body);
    writer.close(inner);
    for (const [key, value] of attributes) writePair(writer, 0x32, key, value);
    writer.copy(path);
    if (flags !== undefined) {
      writer.byte(0x45);
      writer.fixed32(flags);
    }
    this.id(0x4a, traceId);
    this.id(0x52, spanId);
    writer.byte(0x59);
    writer.fixed64Of(stamps.low, stamps.high);
    writer.close(start);
    stamps.next();
  }

  private id(field: number, hex: string | undefined): void {
    if (hex === undefined) return;
    this.writer.byte(field);
    this.writer.byte(hex.length / 2);
    this.writer.copy(Buffer.from(hex, "hex"));
  }
}

function pairsBytes(field: number, attributes: Attributes): Uint8Array {
  const writer = new ByteWriter();
  for (const [key, value] of attributes) writePair(writer, field, key, value);
  return writer.from(0);
}

const scope = { name: "outrigger", version };
const scopeBytes = scopeMessage();

/** ScopeLogs' field 1: InstrumentationScope { 1: name, 2: version } */
function scopeMessage(): Uint8Array {
  const writer = new ByteWriter();
  writer.byte(0x0a);
  const start = writer.open();
  for (const [field, text] of [
    [0x0a, scope.name],
    [0x12, scope.version],
  ] as const) {
    writer.byte(field);
    const inner = writer.open();
    writer.text(text);
    writer.close(inner);
  }
  writer.close(start);
  return writer.from(0);
}

/** In JSON: ids as hexadecimal digits, 64-bit numbers as texts. */
export class OtlpJson {
  private readonly rules: OtlpRules;
  private readonly writer = new ByteWriter();

  constructor(rules: OtlpRules) {
    this.rules = rules;
  }

  encode(batch: Batch, wallMs: number): readonly Uint8Array[] {
    const { writer } = this;
    this.rules.stamps.begin(wallMs);
    writer.reset(batch.bytes + batch.count * 200);
    writer.text('{"resourceLogs":[');
    groupsOf(batch).forEach(({ source, blocks }, at) => {
      const resource = JSON.stringify({ attributes: jsonPairs(resourceOf(source, this.rules.resource)) });
      writer.text(
        `${at === 0 ? "" : ","}{"resource":${resource},"scopeLogs":[{"scope":${JSON.stringify(scope)},"logRecords":[`,
      );
      this.records(blocks, pathOf(source));
      writer.text("]}]}");
    });
    writer.text("]}");
    return [writer.from(0)];
  }

  private records(blocks: readonly Block[], path: Attributes): void {
    const { writer } = this;
    const { stamps, onMended } = this.rules;
    const attributes = JSON.stringify(jsonPairs(path));
    let before = "";
    const line = (bytes: Uint8Array, start: number, end: number) => {
      writer.text(
        `${before}{"observedTimeUnixNano":"${stamps.text}","attributes":${attributes},"body":{"stringValue":`,
      );
      writer.quote(bytes, start, end);
      writer.text("}}");
      stamps.next();
      before = ",";
    };
    const record = (one: LogRecord) => {
      writer.text(`${before}${JSON.stringify(jsonRecord(one, stamps.text, path))}`);
      stamps.next();
      before = ",";
    };
    for (const block of blocks) eachItem(block, onMended, line, record);
  }
}

function jsonRecord(given: LogRecord, observed: string, path: Attributes): object {
  const { time, severity, body, attributes, traceId, spanId, flags } = otlpRecord(given);
  return {
    timeUnixNano: time?.toString(),
    observedTimeUnixNano: observed,
    severityNumber: severity && severityNumbers[severity],
    severityText: severity?.toUpperCase(),
    body: jsonAny(body),
    attributes: jsonPairs([...attributes, ...path]),
    traceId,
    spanId,
    flags,
  };
}
