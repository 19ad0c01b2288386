/**
 * Finds secrets in a line of plain JSON where they are written, so that its fields need not be made:
 *
 *   {"level":"info","user":{"dbPassword":"hunter2"},"message":"GET postgres://app:s3cret@db"}
 *                           a name that says it      words without which there is no secret: only this text is made
 *
 * What it finds is what a walk through the fields finds (`redaction.ts`).
 */
import type { Cut, CutLine } from "../cuts.ts";
import type { LineSearch } from "../line-looks.ts";
import { NeedleScan } from "./needle-scan.ts";
import { isSecretName, secretEndings } from "./secret-shapes.ts";

const quote = 34;
const minus = 45;
const zero = 48;
const nine = 57;
const colon = 58;
const openBracket = 91;
const closeBracket = 93;
const letterN = 110;
const openBrace = 123;
const closeBrace = 125;
/** Smaller numbers have too few digits for a card. */
const leastCardNumber = 1e12;
const leastCardDigits = 12;

export interface LineRedactionOptions {
  /** Words without which there is no secret in a text. */
  readonly needles: NeedleScan;
  /** Whether values are replaced whose field's name says that they are secrets. */
  readonly byName: boolean;
  /** What stands instead, as JSON. */
  readonly instead: Buffer;
  /** A text with its secrets replaced and counted. */
  redacted(text: string): string;
  /** True for a name of a field in which there is no secret. */
  isClean(name: string): boolean;
  /** A value was replaced whole, by the name of its field. */
  countName(): void;
}

const endings = new NeedleScan(secretEndings.map((ending) => [ending, 1]));

export class LineRedaction implements LineSearch {
  /** Of the needles that are in the line, outside of what was cut out before. */
  bits = 0;
  /** True when something was found for which the fields themselves must be made: a secret in the name of one. */
  isBeyond = false;
  private readonly options: LineRedactionOptions;
  private memory: Buffer = Buffer.alloc(0);
  /** What is to stand instead of parts of the line, in their order. */
  private cuts: Cut[] = [];
  private found = 0;

  constructor(options: LineRedactionOptions) {
    this.options = options;
  }

  /**
   * The cuts of a line with those of its secrets; undefined when there are no secrets beside those that it has cuts for.
   * Those must be values of fields, replaced by what stands for secrets.
   */
  search({ memory, start, end, cuts }: CutLine): Cut | undefined {
    const { needles, byName } = this.options;
    this.memory = memory;
    this.bits = 0;
    this.isBeyond = false;
    this.cuts = [];
    this.found = 0;
    let cut = cuts;
    let at = start;
    while (at < end) {
      const byte = memory[at]!;
      if (byte === quote) {
        const bits = needles.scanString(memory, at + 1);
        this.bits |= bits;
        const { stop } = needles;
        const behind = stop + 1;
        if (memory[behind] !== colon) {
          if (bits !== 0) this.text(at, behind);
          at = behind;
          continue;
        }
        if (bits !== 0 && !this.options.isClean(memory.toString("utf8", at + 1, stop))) {
          this.isBeyond = true;
          return undefined;
        }
        const isSecret = byName && this.isSecret(at + 1, stop);
        at = behind + 1;
        if (cut?.from === at) {
          this.cuts.push(cut);
          at = cut.to;
          cut = cut.next;
        } else if (isSecret && memory[at] !== letterN) at = this.whole(at);
      } else if (byte === minus || (byte >= zero && byte <= nine)) {
        const behind = numberEnd(memory, at);
        this.number(at, behind);
        at = behind;
      } else at++;
    }
    return this.found === 0 ? undefined : linked(this.cuts);
  }

  private isSecret(from: number, to: number): boolean {
    const bits = endings.scanEnd(this.memory, from, to);
    // Of letters beyond ASCII some are ASCII in lower case.
    return bits < 0 ? isSecretName(this.memory.toString("utf8", from, to)) : bits > 0;
  }

  /** Replaces a value, of whatever type, unless that was done before. Returns where it ends. */
  private whole(from: number): number {
    const { countName, instead } = this.options;
    const to = this.valueEnd(from);
    if (instead.compare(this.memory, from, to) !== 0) {
      countName();
      this.cut(from, to, instead);
    }
    return to;
  }

  private valueEnd(from: number): number {
    const { memory } = this;
    const { needles } = this.options;
    let depth = 0;
    let at = from;
    do {
      const byte = memory[at]!;
      if (byte === quote) {
        this.bits |= needles.scanString(memory, at + 1);
        at = needles.stop + 1;
      } else if (byte === openBrace || byte === openBracket) {
        depth++;
        at++;
      } else if (byte === closeBrace || byte === closeBracket) {
        depth--;
        at++;
      } else at = depth > 0 ? at + 1 : numberEnd(memory, at);
    } while (depth > 0);
    return at;
  }

  private text(from: number, to: number): void {
    const before = JSON.parse(this.memory.toString("utf8", from, to)) as string;
    this.replace(from, to, before);
  }

  private number(from: number, to: number): void {
    if (to - from < leastCardDigits) return;
    const bits = this.options.needles.scanBytes(this.memory, from, to);
    this.bits |= bits;
    const number = bits === 0 ? 0 : Number(this.memory.toString("latin1", from, to));
    if (number >= leastCardNumber) this.replace(from, to, String(number));
  }

  private replace(from: number, to: number, before: string): void {
    const after = this.options.redacted(before);
    if (after !== before) this.cut(from, to, Buffer.from(JSON.stringify(after)));
  }

  private cut(from: number, to: number, instead: Buffer): void {
    this.cuts.push({ from, to, instead, next: undefined });
    this.found++;
  }
}

/** Of a word too. */
function numberEnd(memory: Buffer, from: number): number {
  let at = from + 1;
  // Digits, a point, and an exponent with its sign.
  for (let byte = memory[at]!; byte > 42 && byte !== 44 && byte !== 93 && byte !== 125; byte = memory[++at]!);
  return at;
}

function linked(cuts: readonly Cut[]): Cut | undefined {
  return cuts.reduceRight((next: Cut | undefined, { from, to, instead }) => ({ from, to, instead, next }), undefined);
}
