/** The tables of a header decoder: RFC 7541 section 2.3. Index 1 to 61 is static, 62 the newest dynamic entry. */
import { isAll, VALUE } from "../http/grammar.ts";
import { type FieldKind, kindOf } from "./field-kind.ts";
import { staticFields } from "./static-table.ts";

/** Bytes that an entry costs beside its text (section 4.1). */
export const entryOverhead = 32;

/** Our SETTINGS_HEADER_TABLE_SIZE: the default. */
export const headerTableBytes = 4096;

/** A field of a table: what there is to check was checked when it came in, however often it is used. */
export class TableField {
  readonly name: string;
  readonly value: string;
  readonly kind: FieldKind;
  /** The value has no control characters, and no white space at its ends. */
  readonly valid: boolean;
  readonly size: number;
  /** As a line of HTTP/1, which is the form inside. */
  readonly line: string;

  constructor(name: string, value: string, kind: FieldKind) {
    this.name = name;
    this.value = value;
    this.kind = kind;
    this.valid = isValue(value);
    this.size = name.length + value.length + entryOverhead;
    this.line = `${name}: ${value}\r\n`;
  }
}

/** RFC 9113 section 8.2.1, and stricter: no control character but tab is let through to an HTTP/1 peer. */
export function isValue(value: string): boolean {
  if (value === "") return true;
  return isAll(value, VALUE) && !isBlank(value.charCodeAt(0)) && !isBlank(value.charCodeAt(value.length - 1));
}

function isBlank(code: number): boolean {
  return code === 32 || code === 9;
}

const fixed = staticFields.map(([name, value]) => new TableField(name, value, kindOf(name)));

export class HeaderTable {
  /** What the peer may make of `maxSize`: our SETTINGS_HEADER_TABLE_SIZE, in bytes. */
  readonly sizeLimit: number;
  private maxSize: number;
  private size = 0;
  /** A ring: the newest entry is at `newest`, older ones at higher places. */
  private readonly ring: (TableField | undefined)[];
  private readonly mask: number;
  private newest = 0;
  private count = 0;

  constructor(sizeLimit: number) {
    this.sizeLimit = sizeLimit;
    this.maxSize = sizeLimit;
    let places = 1;
    while (places * entryOverhead <= sizeLimit) places *= 2;
    this.ring = new Array<TableField | undefined>(places).fill(undefined);
    this.mask = places - 1;
  }

  /** Undefined for an index that names nothing. */
  get(index: number): TableField | undefined {
    if (index <= fixed.length) return fixed[index - 1];
    const at = index - fixed.length - 1;
    return at < this.count ? this.ring[(this.newest + at) & this.mask] : undefined;
  }

  /** One that is larger than the table empties it, and is not kept (section 4.4). */
  insert(field: TableField): void {
    this.evict(this.maxSize - field.size);
    if (field.size > this.maxSize) return;
    this.newest = (this.newest - 1) & this.mask;
    this.ring[this.newest] = field;
    this.size += field.size;
    this.count++;
  }

  /** @param maxSize at most `sizeLimit`, in bytes */
  resize(maxSize: number): void {
    this.maxSize = maxSize;
    this.evict(maxSize);
  }

  private evict(room: number): void {
    while (this.count > 0 && this.size > room) {
      const at = (this.newest + --this.count) & this.mask;
      this.size -= this.ring[at]!.size;
      this.ring[at] = undefined;
    }
  }
}
