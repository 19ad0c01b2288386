/** A line of JSON on its way to what `JSON.stringify` would write: white space left out, escapes and numbers as it has them. */
import { LineMemory } from "./line-memory.ts";

const slash = 47;
const backslash = 92;
const letterU = 117;
/** -1 for what is no hexadecimal digit. */
const hexOf = new Int8Array(256).fill(-1);
for (const digit of "0123456789abcdefABCDEF") hexOf[digit.charCodeAt(0)] = Number.parseInt(digit, 16);

export class JsonRewriting {
  /** False while all is as it was read. */
  isAnew = false;
  /** True when more was changed than white space left out. */
  isRespelled = false;
  /** How many bytes more there are so far; a negative number. */
  shift = 0;
  private readonly lines = new LineMemory();
  private bytes: Uint8Array = new Uint8Array(0);
  private limit = 0;
  /** What lies before it is written already. */
  private kept = 0;

  begin(bytes: Uint8Array, start: number, end: number): void {
    this.bytes = bytes;
    this.limit = end;
    this.kept = start;
    this.shift = 0;
    this.isAnew = false;
    this.isRespelled = false;
  }

  /** To be called where something was changed. The line is in `memory` from `start` on; returns where it ends. */
  finish(): number {
    this.lines.add(this.bytes, this.kept, this.limit);
    return this.lines.keep();
  }

  get memory(): Buffer {
    return this.lines.memory;
  }

  get start(): number {
    return this.lines.start;
  }

  leaveOut(from: number, to: number): void {
    if (!this.isAnew) this.lines.begin(this.limit - this.kept);
    this.isAnew = true;
    this.lines.add(this.bytes, this.kept, from);
    this.kept = to;
    this.shift -= to - from;
  }

  /**
   * An escape that there is another way to write, at its backslash. Returns where its last byte is; -1 when it is none,
   * or half of a surrogate pair.
   */
  escape(stop: number): number {
    const { bytes, limit } = this;
    this.isRespelled = true;
    if (bytes[stop + 1] === slash) {
      this.leaveOut(stop, stop + 1);
      return stop + 1;
    }
    const unit = stop + 5 < limit ? unitAt(bytes, stop) : -1;
    if (unit < 0) return -1;
    if (unit >= 0xd800 && unit < 0xe000) return this.pair(stop, unit);
    if (unit >= 0x80) this.replace(stop, stop + 6, unit);
    else this.replaceByText(stop, stop + 6, JSON.stringify(String.fromCharCode(unit)).slice(1, -1));
    return stop + 5;
  }

  /** A number that there may be another way to write. False for -0, which is written as 0, and beyond what a double holds. */
  number(from: number, to: number): boolean {
    let written = "";
    for (let at = from; at < to; at++) written += String.fromCharCode(this.bytes[at]!);
    const number = Number(written);
    if (!Number.isFinite(number) || Object.is(number, -0)) return false;
    const text = String(number);
    if (text === written) return true;
    this.isRespelled = true;
    this.replaceByText(from, to, text);
    return true;
  }

  private pair(stop: number, high: number): number {
    const low = stop + 11 < this.limit ? unitAt(this.bytes, stop + 6) : -1;
    if (high >= 0xdc00 || low < 0xdc00 || low >= 0xe000) return -1;
    this.replace(stop, stop + 12, 0x10000 + ((high & 0x3ff) << 10) + (low & 0x3ff));
    return stop + 11;
  }

  private replace(from: number, to: number, character: number): void {
    this.leaveOut(from, to);
    this.shift += this.lines.addCharacter(character);
  }

  private replaceByText(from: number, to: number, text: string): void {
    this.leaveOut(from, to);
    this.shift += this.lines.addText(text);
  }
}

/** What `\uXXXX` says; below 0 where that is not what stands there. */
function unitAt(bytes: Uint8Array, at: number): number {
  if (bytes[at] !== backslash || bytes[at + 1] !== letterU) return -1;
  let unit = 0;
  for (let i = at + 2; i < at + 6; i++) unit = (unit << 4) | hexOf[bytes[i]!]!;
  return unit;
}
