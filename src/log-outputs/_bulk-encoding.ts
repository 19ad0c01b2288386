/**
 * Bodies of `_bulk`: for each line what is to be done, and the document.
 *
 *   {"create":{"_index":"logs-app-default","_id":"k3J…-12345"}}
 *   {"@timestamp":"2026-01-01T00:00:00.000Z","message":"hello"}
 */
import type { Batch, Block, LogFields, LogRecord, LogSource } from "../contracts.ts";
import { ByteWriter } from "./_byte-writer.ts";
import { type DocumentRules, Documents, isoTime } from "./_documents.ts";
import type { IndexName } from "./_index-name.ts";
import { eachLineOf } from "./_items.ts";

export interface BulkRules extends DocumentRules {
  readonly index: IndexName;
  /** Documents are told apart by where they stand in their source, so that none is stored twice. */
  readonly withIds: boolean;
  readonly onMended: () => void;
}

/** What a document takes beside its line, mostly. */
const documentBytes = 200;
/** Of the hash of a source's id that stands in its documents' ids. */
const hashBytes = 15;
const newline = 10;
const noFields: LogFields = {};
const noAction = { source: undefined, index: "", action: new Uint8Array() };

export class BulkEncoding {
  private readonly rules: BulkRules;
  private readonly writer = new ByteWriter();
  private readonly documents: Documents;
  private readonly hashes = new WeakMap<LogSource, string>();
  private now = "";
  private last: { source: LogSource | undefined; index: string; action: Uint8Array } = noAction;

  constructor(rules: BulkRules) {
    this.rules = rules;
    this.documents = new Documents(rules, this.writer);
  }

  encode({ blocks, bytes, count }: Batch, wallMs: number): readonly Uint8Array[] {
    this.writer.reset(bytes + count * documentBytes);
    this.now = new Date(wallMs).toISOString();
    this.documents.begin(wallMs);
    for (const block of blocks) {
      if (block.records === undefined) this.lines(block);
      else for (const record of block.records) this.record(record);
    }
    return [this.writer.from(0)];
  }

  private lines(block: Block): void {
    const { source } = block;
    const action = this.action(source, this.rules.index.of(source.fields, noFields, this.now));
    const offsetOf = offsets(block);
    eachLineOf(
      block,
      (bytes, start, end, offset) => {
        this.open(action, offsetOf(offset));
        this.documents.line(source, bytes, start, end);
        this.writer.byte(newline);
      },
      this.rules.onMended,
    );
  }

  private record(record: LogRecord): void {
    const { source, time, fields, offset } = record;
    const { index } = this.rules;
    const day = time === undefined || !index.isDated ? this.now : isoTime(time);
    this.open(this.action(source, index.of(source.fields, fields ?? noFields, day)), offset);
    this.documents.record(record);
    this.writer.byte(newline);
  }

  /** The beginning of the action's line, up to the offset. Most are that of the line before. */
  private action(source: LogSource, index: string): Uint8Array {
    if (source !== this.last.source || index !== this.last.index)
      this.last = { source, index, action: this.made(source, index) };
    return this.last.action;
  }

  private made(source: LogSource, index: string): Uint8Array {
    const place = `{"create":{"_index":${JSON.stringify(index)}`;
    return Buffer.from(this.rules.withIds ? `${place},"_id":"${this.hashOf(source)}-` : `${place}}}\n`);
  }

  private open(action: Uint8Array, offset: number): void {
    this.writer.copy(action);
    if (this.rules.withIds) this.writer.text(`${offset}"}}\n`);
  }

  private hashOf(source: LogSource): string {
    const known = this.hashes.get(source);
    if (known !== undefined) return known;
    const whole = new Bun.CryptoHasher("sha256").update(source.id).digest();
    const hash = whole.subarray(0, hashBytes).toString("base64url");
    this.hashes.set(source, hash);
    return hash;
  }
}

/** From a place in a block's bytes, counted from its start, to the offset in its source: they differ where lines were decoded. */
function offsets(block: Block): (offset: number) => number {
  const { start, end, bytes } = block;
  if (end - start === bytes.length) return (offset) => offset;
  return (offset) => block.markAt(offset - start).offset;
}
