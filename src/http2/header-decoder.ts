/**
 * Decodes header blocks: RFC 7541 sections 5 and 6. A block is always decoded to its end, even when what it says is
 * refused, because the tables of both ends must stay the same.
 */
import { ConnectionFault, ErrorCode } from "./error-codes.ts";
import type { FieldKind } from "./field-kind.ts";
import { kindOf } from "./field-kind.ts";
import type { FieldSection } from "./field-section.ts";
import { HeaderTable, TableField } from "./header-table.ts";
import { decodeHuffman } from "./huffman.ts";
import { markSensitive } from "./sensitive-names.ts";

/** Room for decoded strings; a larger one makes room for itself, once. */
let scratch = Buffer.allocUnsafeSlow(4096);

const nothing = Buffer.alloc(0);

export class HeaderDecoder {
  private readonly table: HeaderTable;
  private bytes: Buffer = nothing;
  private at = 0;
  private end = 0;

  /** @param tableBytes our SETTINGS_HEADER_TABLE_SIZE */
  constructor(tableBytes: number) {
    this.table = new HeaderTable(tableBytes);
  }

  /**
   * Decodes the block `bytes[start, end)` into a section that has begun.
   * @throws ConnectionFault (COMPRESSION_ERROR) for what is not HPACK
   */
  decode(bytes: Buffer, start: number, end: number, section: FieldSection): void {
    this.bytes = bytes;
    this.at = start;
    this.end = end;
    this.readSizeUpdates();
    while (this.at < end) this.readField(bytes[this.at]!, section);
    this.bytes = nothing;
  }

  /** They stand at the beginning of a block only (section 4.2). */
  private readSizeUpdates(): void {
    while (this.at < this.end && (this.bytes[this.at]! & 0xe0) === 0x20) {
      const size = this.readInteger(0x1f);
      if (size > this.table.sizeLimit) throw compressionFault(`a table of ${size} bytes was not allowed`);
      this.table.resize(size);
    }
  }

  private readField(first: number, section: FieldSection): void {
    if ((first & 0x80) !== 0) section.addTabled(this.entry(this.readInteger(0x7f)));
    else if ((first & 0x40) !== 0) this.readIndexed(section);
    else if ((first & 0x20) !== 0) throw compressionFault("the table is resized in the middle of a block");
    else this.readLiteral((first & 0x10) !== 0, section);
  }

  private readIndexed(section: FieldSection): void {
    const index = this.readInteger(0x3f);
    const named = index === 0 ? undefined : this.entry(index);
    const name = named === undefined ? this.readString() : named.name;
    const field = new TableField(name, this.readString(), named === undefined ? kindOf(name) : named.kind);
    this.table.insert(field);
    section.addTabled(field);
  }

  private readLiteral(neverIndexed: boolean, section: FieldSection): void {
    const index = this.readInteger(0x0f);
    const named = index === 0 ? undefined : this.entry(index);
    const name = named === undefined ? this.readString() : named.name;
    const kind: FieldKind = named === undefined ? kindOf(name) : named.kind;
    if (neverIndexed) markSensitive(name);
    section.addLiteral(kind, name, this.readString());
  }

  private entry(index: number): TableField {
    const field = this.table.get(index);
    if (field === undefined) throw compressionFault(`index ${index} names nothing`);
    return field;
  }

  /** @param mask the bits of the first octet that belong to the number (section 5.1) */
  private readInteger(mask: number): number {
    const first = this.bytes[this.at++]! & mask;
    if (first < mask) return first;
    let value = mask;
    for (let shift = 0; shift <= 21; shift += 7) {
      if (this.at >= this.end) throw compressionFault("the block ends in the middle of a number");
      const byte = this.bytes[this.at++]!;
      value += (byte & 0x7f) << shift;
      if (byte < 0x80) return value;
    }
    throw compressionFault("a number is too large");
  }

  private readString(): string {
    if (this.at >= this.end) throw compressionFault("the block ends in the middle of a field");
    const coded = (this.bytes[this.at]! & 0x80) !== 0;
    const length = this.readInteger(0x7f);
    const start = this.at;
    if (length > this.end - start) throw compressionFault("the block ends in the middle of a string");
    this.at = start + length;
    if (!coded) return this.bytes.toString("latin1", start, this.at);
    if (scratch.length < length * 2) scratch = Buffer.allocUnsafeSlow(length * 2);
    const count = decodeHuffman(this.bytes, start, this.at, scratch);
    if (count === -1) throw compressionFault("a string is not of the Huffman code");
    return scratch.toString("latin1", 0, count);
  }
}

function compressionFault(detail: string): ConnectionFault {
  return new ConnectionFault(ErrorCode.COMPRESSION_ERROR, detail);
}
