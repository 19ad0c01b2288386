/**
 * Looks whether a line is one JSON object of which it is certain how `JSON.stringify` writes what `JSON.parse` reads from
 * it: then the line can stand for its fields, and they need not be made.
 *
 *   {"time":"2026-11-26T10:00:00Z","level":"info","total":12.5}         is written just so, and stays where it is
 *   { "time": "2026-11-26T10:00:00Z", "total": 1.50, "by": "J\u00e9r" }  is written anew, as {"time":"2026-…","total":1.5,"by":"Jér"}
 *
 * Of members at the top level it says where their names and values are. Many lines are not plain and are parsed
 * instead: those with escapes in a name, a name twice in one object, a name that begins with a digit (ECMA-262 orders
 * integer names first), half of a surrogate pair, `-0`, `1e3`, and all that is no JSON (RFC 8259). Up to 15 digits survive a
 * double in both directions (IEEE 754); longer numbers are read and written again.
 */
import { JsonRewriting } from "./json-rewriting.ts";

const space = 32;
const quote = 34;
const comma = 44;
const minus = 45;
const point = 46;
const zero = 48;
const nine = 57;
const colon = 58;
const openBracket = 91;
const backslash = 92;
const closeBracket = 93;
const openBrace = 123;
const closeBrace = 125;

const mostDepth = 16;
/** In all objects that are open at a place. */
const mostNames = 256;
const mostDigits = 15;
/** `JSON.stringify` writes what is below 10^-6 with an exponent. */
const mostSmallDigits = 6;

/** 1 for what ends the run of characters that stand for themselves in a string. */
const isSpecial = new Uint8Array(256).fill(1, 0, 32);
isSpecial[quote] = 1;
isSpecial[backslash] = 1;
/** 1 for what follows a backslash where there is no other way to write it. */
const isEscape = new Uint8Array(256);
for (const letter of '"\\bfnrt') isEscape[letter.charCodeAt(0)] = 1;

/** 1 for the white space of JSON (RFC 8259, section 2). */
const isSpace = new Uint8Array(256);
for (const byte of [9, 10, 13, space]) isSpace[byte] = 1;

/** No byte. */
const none = -1;

const literals: readonly Uint8Array[] = ["true", "false", "null"].map((word) => Buffer.from(word));

export class PlainJson {
  /** Members at the top level of the last object. */
  count = 0;
  /** Where the object is as it is written: in the memory that was scanned, or in that of lines written anew. */
  memory: Uint8Array = new Uint8Array(0);
  start = 0;
  end = 0;
  private readonly rewriting = new JsonRewriting();
  private bytes: Uint8Array = this.memory;
  private limit = 0;
  private at = 0;
  /** Names of the objects that are open: where each begins and ends, and something of it to tell it by. */
  private readonly begins = new Int32Array(mostNames);
  private readonly ends = new Int32Array(mostNames);
  private readonly signs = new Int32Array(mostNames);
  private names = 0;
  /** Of the values at the top level, as it is written: from where in the memory it would be without a change before. */
  private readonly valueBegins = new Int32Array(mostNames);
  private readonly valueEnds = new Int32Array(mostNames);
  private base = 0;

  /** True when the bytes from `start` to `end`, which must be UTF-8, are such an object. */
  scan(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes;
    this.limit = end;
    this.at = start;
    this.names = 0;
    this.count = 0;
    this.rewriting.begin(bytes, start, end);
    if (this.next() !== openBrace || !this.object(0) || this.next() !== none) return false;
    this.count = this.names;
    this.memory = bytes;
    this.start = start;
    this.end = end;
    this.base = 0;
    if (this.rewriting.isAnew) this.move();
    return true;
  }

  private move(): void {
    const { rewriting } = this;
    this.end = rewriting.finish();
    this.memory = rewriting.memory;
    this.base = rewriting.start - this.start;
    this.start = rewriting.start;
  }

  /** True when more was changed than white space left out. */
  get isRespelled(): boolean {
    return this.rewriting.isRespelled;
  }

  /** The number of the member at the top level with that name; -1 where there is none. */
  find(name: Uint8Array): number {
    const { begins, ends, count } = this;
    for (let member = 0; member < count; member++) {
      if (ends[member]! - begins[member]! === name.length && this.isAt(begins[member]!, name)) return member;
    }
    return -1;
  }

  /** In `memory`. */
  valueBegin(member: number): number {
    return this.valueBegins[member]! + this.base;
  }

  valueEnd(member: number): number {
    return this.valueEnds[member]! + this.base;
  }

  /** From its bracket behind the last; at the top level the names stay. */
  private object(depth: number): boolean {
    const base = this.names;
    this.at++;
    if (this.next() === closeBrace) return this.pass();
    for (;;) {
      if (!this.name(base) || !this.member(depth)) return false;
      const byte = this.next();
      this.at++;
      if (byte === comma) continue;
      if (depth > 0) this.names = base;
      return byte === closeBrace;
    }
  }

  /** The value of the last name. */
  private member(depth: number): boolean {
    const member = this.names - 1;
    const byte = this.next();
    const begin = this.at + this.rewriting.shift;
    if (!this.value(byte, depth)) return false;
    if (depth > 0) return true;
    this.valueBegins[member] = begin;
    this.valueEnds[member] = this.at + this.rewriting.shift;
    return true;
  }

  private array(depth: number): boolean {
    this.at++;
    if (this.next() === closeBracket) return this.pass();
    for (;;) {
      if (!this.value(this.next(), depth)) return false;
      const byte = this.next();
      this.at++;
      if (byte === comma) continue;
      return byte === closeBracket;
    }
  }

  /** A name, which must be the first of its kind since `base`, and its colon. */
  private name(base: number): boolean {
    const { bytes, begins, ends, signs, names } = this;
    if (names === mostNames || this.next() !== quote) return false;
    const begin = this.at + 1;
    const first = bytes[begin]!;
    if ((first >= zero && first <= nine) || !this.run()) return false;
    const length = this.at - 1 - begin;
    const sign = (length << 16) | (first << 8) | bytes[this.at - 2]!;
    for (let other = base; other < names; other++) {
      if (signs[other] === sign && this.isSame(begins[other]!, begin, length)) return false;
    }
    begins[names] = begin;
    ends[names] = begin + length;
    signs[names] = sign;
    this.names = names + 1;
    return this.next() === colon && this.pass();
  }

  private value(byte: number, depth: number): boolean {
    if (byte === quote) return this.string();
    if (byte === minus || (byte >= zero && byte <= nine)) return this.number();
    if (byte === openBrace) return depth < mostDepth && this.object(depth + 1);
    if (byte === openBracket) return depth < mostDepth && this.array(depth + 1);
    return this.literal();
  }

  /** From its first quote behind its last one. */
  private string(): boolean {
    const { bytes, limit } = this;
    while (!this.run()) {
      const stop = this.at - 1;
      if (stop + 1 >= limit || bytes[stop] !== backslash) return false;
      if (isEscape[bytes[stop + 1]!] === 1) this.at = stop + 1;
      else {
        this.at = this.rewriting.escape(stop);
        if (this.at < 0) return false;
      }
    }
    return true;
  }

  /** From a quote, or from what an escape ends with, behind the next quote. False, behind it, where another comes first. */
  private run(): boolean {
    const { bytes, limit } = this;
    let at = this.at + 1;
    while (at < limit && isSpecial[bytes[at]!] === 0) at++;
    this.at = at + 1;
    return at < limit && bytes[at] === quote;
  }

  private number(): boolean {
    const begin = this.at;
    const isNegative = this.take(minus);
    const first = this.bytes[this.at];
    const whole = this.digits();
    if (whole === 0 || (whole > 1 && first === zero)) return false;
    const hasPoint = this.take(point);
    const part = hasPoint ? this.digits() : 0;
    if ((hasPoint && part === 0) || this.isExponent()) return false;
    const isDoubtful = first === zero && (hasPoint ? part > mostSmallDigits : isNegative);
    const hasLastZero = hasPoint && this.bytes[this.at - 1] === zero;
    return (whole + part <= mostDigits && !isDoubtful && !hasLastZero) || this.rewriting.number(begin, this.at);
  }

  private digits(): number {
    const { bytes, limit } = this;
    const start = this.at;
    let at = start;
    while (at < limit && bytes[at]! >= zero && bytes[at]! <= nine) at++;
    this.at = at;
    return at - start;
  }

  private isExponent(): boolean {
    return this.at < this.limit && (this.bytes[this.at]! | 32) === 101;
  }

  private literal(): boolean {
    for (const word of literals) {
      if (this.limit - this.at < word.length || !this.isAt(this.at, word)) continue;
      this.at += word.length;
      return true;
    }
    return false;
  }

  /** The next byte that is no white space; that is left out. */
  private next(): number {
    if (this.at >= this.limit) return none;
    const byte = this.bytes[this.at]!;
    return byte > space ? byte : this.nextBehindSpace();
  }

  private nextBehindSpace(): number {
    const { bytes, limit, at: from } = this;
    let to = from;
    while (to < limit && isSpace[bytes[to]!] === 1) to++;
    if (to > from) this.rewriting.leaveOut(from, to);
    this.at = to;
    return to < limit ? bytes[to]! : none;
  }

  private pass(): boolean {
    this.at++;
    return true;
  }

  private take(byte: number): boolean {
    if (this.at >= this.limit || this.bytes[this.at] !== byte) return false;
    this.at++;
    return true;
  }

  private isAt(place: number, word: Uint8Array): boolean {
    const { bytes } = this;
    for (let i = 0; i < word.length; i++) if (bytes[place + i] !== word[i]) return false;
    return true;
  }

  private isSame(one: number, other: number, length: number): boolean {
    const { bytes } = this;
    for (let i = 0; i < length; i++) if (bytes[one + i] !== bytes[other + i]) return false;
    return true;
  }
}
