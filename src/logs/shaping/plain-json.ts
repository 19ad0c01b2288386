/**
 * Looks whether a line is one JSON object, written as `JSON.stringify` writes what `JSON.parse` reads from it: then the
 * line can stand for its fields, and they need not be made. Nothing is made of it here but numbers.
 *
 *   {"time":"2026-11-26T10:00:00Z","level":"info","total":12.5}
 *     name      value               each at the top level: where it begins and ends
 *
 * Many lines are not plain and are parsed instead: those with white space between members, `\/` or `\u…`, escapes in
 * a name, a name twice in one object, a name that begins with a digit (ECMA-262 orders integer names first), `1.0`,
 * `1e3`, or more than 15 digits. (15 digits survive a double in both directions, IEEE 754.)
 */

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

const literals: readonly Uint8Array[] = ["true", "false", "null"].map((word) => Buffer.from(word));

export class PlainJson {
  /** Members at the top level of the last object. */
  count = 0;
  private bytes: Uint8Array = new Uint8Array(0);
  private end = 0;
  private at = 0;
  /** Names of the objects that are open: where each begins and ends, and something of it to tell it by. */
  private readonly begins = new Int32Array(mostNames);
  private readonly ends = new Int32Array(mostNames);
  private readonly signs = new Int32Array(mostNames);
  private names = 0;
  /** Of the values at the top level. */
  private readonly valueBegins = new Int32Array(mostNames);
  private readonly valueEnds = new Int32Array(mostNames);

  /** True when the bytes from `start` to `end`, which must be UTF-8, are such an object. */
  scan(bytes: Uint8Array, start: number, end: number): boolean {
    this.bytes = bytes;
    this.end = end;
    this.at = start;
    this.names = 0;
    this.count = 0;
    if (start >= end || bytes[start] !== openBrace || !this.object(0) || this.at !== end) return false;
    this.count = this.names;
    return true;
  }

  /** The number of the member at the top level with that name; -1 where there is none. */
  find(name: Uint8Array): number {
    const { begins, ends, count } = this;
    for (let member = 0; member < count; member++) {
      if (ends[member]! - begins[member]! === name.length && this.isAt(begins[member]!, name)) return member;
    }
    return -1;
  }

  valueBegin(member: number): number {
    return this.valueBegins[member]!;
  }

  valueEnd(member: number): number {
    return this.valueEnds[member]!;
  }

  /** From its bracket behind the last; at the top level the names stay. */
  private object(depth: number): boolean {
    const { bytes, end } = this;
    const base = this.names;
    this.at++;
    if (this.take(closeBrace)) return true;
    for (;;) {
      if (!this.name(base)) return false;
      const member = this.names - 1;
      const begin = this.at;
      if (!this.value(depth)) return false;
      if (depth === 0) {
        this.valueBegins[member] = begin;
        this.valueEnds[member] = this.at;
      }
      if (this.at >= end) return false;
      const byte = bytes[this.at++];
      if (byte === comma) continue;
      if (depth > 0) this.names = base;
      return byte === closeBrace;
    }
  }

  private array(depth: number): boolean {
    this.at++;
    if (this.take(closeBracket)) return true;
    for (;;) {
      if (!this.value(depth) || this.at >= this.end) return false;
      const byte = this.bytes[this.at++];
      if (byte === comma) continue;
      return byte === closeBracket;
    }
  }

  /** A name, which must be the first of its kind since `base`, and its colon. */
  private name(base: number): boolean {
    const { bytes, begins, ends, signs, names } = this;
    if (names === mostNames || bytes[this.at] !== quote) return false;
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
    return this.take(colon);
  }

  private value(depth: number): boolean {
    if (this.at >= this.end) return false;
    const byte = this.bytes[this.at]!;
    if (byte === quote) return this.string();
    if (byte === minus || (byte >= zero && byte <= nine)) return this.number();
    if (byte === openBrace) return depth < mostDepth && this.object(depth + 1);
    if (byte === openBracket) return depth < mostDepth && this.array(depth + 1);
    return this.literal();
  }

  /** From its first quote behind its last one; with escapes that are written in one way only. */
  private string(): boolean {
    const { bytes, end } = this;
    while (!this.run()) {
      const stop = this.at - 1;
      if (stop + 1 >= end || bytes[stop] !== backslash || isEscape[bytes[stop + 1]!] === 0) return false;
      this.at = stop + 1;
    }
    return true;
  }

  /** From a quote, or from what an escape ends with, behind the next quote. False, behind it, where another comes first. */
  private run(): boolean {
    const { bytes, end } = this;
    let at = this.at + 1;
    while (at < end && isSpecial[bytes[at]!] === 0) at++;
    this.at = at + 1;
    return at < end && bytes[at] === quote;
  }

  private number(): boolean {
    const isNegative = this.take(minus);
    const first = this.bytes[this.at];
    const whole = this.digits();
    if (whole === 0 || (whole > 1 && first === zero)) return false;
    const isZero = whole === 1 && first === zero;
    if (!this.take(point)) return whole <= mostDigits && !(isZero && isNegative) && !this.isExponent();
    const part = this.digits();
    if (part === 0 || whole + part > mostDigits || this.bytes[this.at - 1] === zero) return false;
    return !(isZero && part > mostSmallDigits) && !this.isExponent();
  }

  private digits(): number {
    const { bytes, end } = this;
    const start = this.at;
    let at = start;
    while (at < end && bytes[at]! >= zero && bytes[at]! <= nine) at++;
    this.at = at;
    return at - start;
  }

  private isExponent(): boolean {
    return this.at < this.end && (this.bytes[this.at]! | 32) === 101;
  }

  private literal(): boolean {
    for (const word of literals) {
      if (this.end - this.at < word.length || !this.isAt(this.at, word)) continue;
      this.at += word.length;
      return true;
    }
    return false;
  }

  private take(byte: number): boolean {
    if (this.at >= this.end || this.bytes[this.at] !== byte) return false;
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
