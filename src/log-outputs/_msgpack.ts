/** MessagePack (github.com/msgpack/msgpack, spec.md): as much of it as the forward protocol needs, in both directions. */
import { isUtf8 } from "node:buffer";
import { GrowingBytes } from "./_growing-bytes.ts";

/** Puts values behind each other. */
export class MsgpackWriter {
  private readonly out: GrowingBytes;

  constructor(room?: number) {
    this.out = new GrowingBytes(room);
  }

  get bytes(): Buffer {
    return this.out.bytes;
  }

  get length(): number {
    return this.out.length;
  }

  array(count: number): void {
    this.counted(count, 0x90, 15, [undefined, 0xdc, 0xdd]);
  }

  map(count: number): void {
    this.counted(count, 0x80, 15, [undefined, 0xde, 0xdf]);
  }

  text(text: string): void {
    const length = Buffer.byteLength(text);
    this.counted(length, 0xa0, 31, [0xd9, 0xda, 0xdb]);
    this.out.text(text);
  }

  /** Bytes that are text where they are UTF-8, else binary. */
  line(bytes: Uint8Array): void {
    if (isUtf8(bytes)) this.counted(bytes.length, 0xa0, 31, [0xd9, 0xda, 0xdb]);
    else this.counted(bytes.length, undefined, 0, [0xc4, 0xc5, 0xc6]);
    this.out.add(bytes);
  }

  binary(bytes: Uint8Array): void {
    this.counted(bytes.length, undefined, 0, [0xc4, 0xc5, 0xc6]);
    this.out.add(bytes);
  }

  /** EventTime of the forward protocol: extension 0 of seconds and nanoseconds. @param time nanoseconds since the epoch */
  eventTime(time: bigint): void {
    const { out } = this;
    out.room(10);
    out.memory.writeUInt16BE(0xd700, out.length);
    out.memory.writeUInt32BE(Number((time / 1_000_000_000n) & 0xffff_ffffn), out.length + 2);
    out.memory.writeUInt32BE(Number(time % 1_000_000_000n), out.length + 6);
    out.length += 10;
  }

  /** Anything JSON has. */
  value(value: unknown): void {
    if (typeof value === "string") this.text(value);
    else if (typeof value === "number") this.number(value);
    else if (typeof value === "boolean") this.byte(value ? 0xc3 : 0xc2);
    else if (typeof value === "bigint") this.text(String(value));
    else if (value instanceof Uint8Array) this.binary(value);
    else if (Array.isArray(value)) {
      this.array(value.length);
      for (const one of value) this.value(one);
    } else if (typeof value === "object" && value !== null) this.entries(value);
    else this.byte(0xc0);
  }

  private entries(value: object): void {
    const entries = Object.entries(value).filter(([, member]) => member !== undefined);
    this.map(entries.length);
    for (const [name, member] of entries) {
      this.text(name);
      this.value(member);
    }
  }

  private number(value: number): void {
    const { out } = this;
    out.room(9);
    if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
      this.byte(0xcb);
      out.length = out.memory.writeDoubleBE(value, out.length);
    } else if (value >= 0 && value < 128) this.byte(value);
    else if (value < 0 && value >= -32) this.byte(value + 256);
    else if (value >= -0x8000_0000 && value < 0x8000_0000) {
      this.byte(0xd2);
      out.length = out.memory.writeInt32BE(value, out.length);
    } else {
      this.byte(0xd3);
      out.length = out.memory.writeBigInt64BE(BigInt(value), out.length);
    }
  }

  private byte(byte: number): void {
    this.out.room(1);
    this.out.memory[this.out.length++] = byte;
  }

  /** A length behind its type: within the type's byte where it is small, else in 1, 2 or 4 bytes. */
  private counted(
    count: number,
    small: number | undefined,
    mostSmall: number,
    [in8, in16, in32]: readonly [number | undefined, number, number],
  ): void {
    const { out } = this;
    out.room(5);
    if (small !== undefined && count <= mostSmall) this.byte(small | count);
    else if (in8 !== undefined && count < 0x100) {
      this.byte(in8);
      this.byte(count);
    } else if (count < 0x1_0000) {
      this.byte(in16);
      out.length = out.memory.writeUInt16BE(count, out.length);
    } else {
      this.byte(in32);
      out.length = out.memory.writeUInt32BE(count, out.length);
    }
  }
}

/** What a receiver says: text and binary are both bytes to us, as old receivers mix them up. */
export type Unpacked = null | boolean | number | Buffer | Unpacked[] | Map<string, Unpacked>;

/** The first value of `bytes` and where it ends; undefined while it is not whole. @throws Error for what is none */
export function unpack(bytes: Buffer): { value: Unpacked; end: number } | undefined {
  const reader = new Reader(bytes);
  try {
    const value = reader.value(0);
    return { value, end: reader.at };
  } catch (error) {
    if (error === notWhole) return undefined;
    throw error;
  }
}

const notWhole = new Error("more bytes are needed");
/** Answers are flat and short; what is not is no answer. */
const deepest = 8;
const longest = 64 * 1024;

class Reader {
  at = 0;
  private readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  value(depth: number): Unpacked {
    const type = this.number(1);
    if (depth > deepest) throw new Error("nested too deeply");
    if (type < 0x80) return type;
    if (type < 0x90) return this.map(type & 0x0f, depth);
    if (type < 0xa0) return this.array(type & 0x0f, depth);
    if (type < 0xc0) return this.take(type & 0x1f);
    if (type >= 0xe0) return type - 256;
    return this.wide(type, depth);
  }

  private wide(type: number, depth: number): Unpacked {
    switch (type) {
      case 0xc0:
        return null;
      case 0xc2:
      case 0xc3:
        return type === 0xc3;
      case 0xc4:
      case 0xd9:
        return this.take(this.number(1));
      case 0xc5:
      case 0xda:
        return this.take(this.number(2));
      case 0xc6:
      case 0xdb:
        return this.take(this.number(4));
      case 0xcc:
      case 0xcd:
      case 0xce:
        return this.number(2 ** (type - 0xcc));
      case 0xdc:
        return this.array(this.number(2), depth);
      case 0xde:
        return this.map(this.number(2), depth);
      default:
        throw new Error(`type ${type.toString(16)} has no place in an answer`);
    }
  }

  private array(count: number, depth: number): Unpacked[] {
    return Array.from({ length: count }, () => this.value(depth + 1));
  }

  private map(count: number, depth: number): Map<string, Unpacked> {
    const map = new Map<string, Unpacked>();
    for (let left = count; left > 0; left--) {
      const name = this.value(depth + 1);
      map.set(Buffer.isBuffer(name) ? name.toString() : String(name), this.value(depth + 1));
    }
    return map;
  }

  private number(size: number): number {
    if (this.at + size > this.bytes.length) throw notWhole;
    this.at += size;
    return this.bytes.readUIntBE(this.at - size, size);
  }

  private take(length: number): Buffer {
    if (length > longest) throw new Error("too long");
    if (this.at + length > this.bytes.length) throw notWhole;
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }
}
