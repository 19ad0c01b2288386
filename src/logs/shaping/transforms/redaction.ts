/**
 * Takes secrets out of records: named fields, patterns, and what looks like a secret.
 *
 *   text that nothing parsed     the text
 *   parsed fields                every text in them, however deep; and the text they were read from
 *
 * Most records hold nothing: the text they were read from is looked at once, cheaply, for what each shape needs.
 */
import type { LogRecord, RecordTransform } from "../../../contracts.ts";
import type { FieldName } from "../line-looks.ts";
import { LineRecord } from "../line-record.ts";
import { put } from "../parsing/format.ts";
import { type FieldPath, isFields } from "./field-path.ts";
import { LineRedaction } from "./line-redaction.ts";
import { NeedleScan } from "./needle-scan.ts";
import { inPieces, mostPatternText } from "./pieces.ts";
import { isSecretName, type Replacement, type SecretShape } from "./secret-shapes.ts";

/** Matches are replaced by `with`. The pattern has the flag `g`. */
export interface RedactionPattern {
  readonly pattern: RegExp;
  readonly with: string;
}

export interface RedactionOptions {
  /** Fields whose value is replaced, whatever it is. */
  readonly fields: readonly FieldPath[];
  readonly patterns: readonly RedactionPattern[];
  /** By name. */
  readonly shapes: ReadonlyMap<string, SecretShape>;
  /** Whether values are replaced whose field's name says that they are secrets. */
  readonly byName: boolean;
  readonly with: string;
  /** Something was replaced: a `field`, a match of a `pattern`, or a secret of the shape of that name. */
  count(kind: string): void;
}

/** Deeper than any log has it; what is below is replaced whole. */
const mostDepth = 32;
/** Names of fields are few; where they are not, they are not remembered. */
const mostNames = 2_000;
/** Smaller numbers have too few digits for a card. */
const leastCardNumber = 1e12;

type Container = Record<string, unknown> | unknown[];

export class Redaction implements RecordTransform {
  private readonly options: RedactionOptions;
  private readonly shapes: readonly (readonly [name: string, shape: SecretShape])[];
  private readonly needles: NeedleScan;
  /** A bit for each shape. */
  private readonly all: number;
  private readonly names = new Map<string, boolean>();
  private readonly looksAtTexts: boolean;
  private readonly fieldNames: readonly FieldName[];
  private readonly mark: Buffer;
  /** Undefined where what stands instead is a secret itself, or part of one. */
  private readonly line: LineRedaction | undefined;
  /** What was replaced in the line under way, of which it is not sure yet that it can stand for its fields. */
  private readonly held: string[] = [];
  private isHeld = false;
  /** Those that could match in the record under way. */
  private patterns: readonly RedactionPattern[] = none;

  constructor(options: RedactionOptions) {
    this.options = options;
    this.shapes = [...options.shapes];
    this.needles = new NeedleScan(
      this.shapes
        .flatMap(([, { needles }], at) => needles.map((needle) => [needle, 1 << at] as const))
        .concat([jsonEscape]),
    );
    this.all = (1 << this.shapes.length) - 1;
    this.looksAtTexts = options.patterns.length > 0 || this.shapes.length > 0 || options.byName;
    this.fieldNames = options.fields.map(({ nameBytes }) => nameBytes);
    this.mark = Buffer.from(JSON.stringify(options.with));
    this.line = this.isInert(options.with) ? this.lineRedaction() : undefined;
  }

  private lineRedaction(): LineRedaction {
    const { needles, mark, options } = this;
    return new LineRedaction({
      needles,
      instead: mark,
      byName: options.byName,
      redacted: (text) => this.redacted(text, this.all),
      isClean: (name) => this.redacted(name, this.all, false) === name,
      countName: () => this.count("keyValues"),
    });
  }

  /** True for a text in which nothing would be found. */
  private isInert(text: string): boolean {
    let found = 0;
    for (const [, shape] of this.shapes) shape.replace(text, () => String(found++));
    return found === 0 && this.options.patterns.every(({ pattern }) => text.search(pattern) < 0);
  }

  /** A record that cannot be looked into is replaced whole: nothing unseen goes on. */
  apply(record: LogRecord): boolean {
    try {
      this.redact(record);
    } catch {
      this.isHeld = false;
      record.fields = undefined;
      record.text = this.options.with;
      this.count("failed");
    }
    return true;
  }

  private redact(record: LogRecord): void {
    if (record instanceof LineRecord && (record.isLate ? this.redactLine(record) : this.isClean(record))) return;
    const { fields, text } = record;
    if (fields !== undefined && this.redactFields(fields, text)) {
      // Whoever shows the text although there are fields must not show what was taken out of them.
      if (record instanceof LineRecord) record.forgetText();
      else record.text = JSON.stringify(fields);
      return;
    }
    this.redactText(record, text);
  }

  /** The text by itself: what no field has, or what is read as one. */
  private redactText(record: LogRecord, text: string): void {
    this.patterns = this.options.patterns;
    const redacted = this.redacted(text, this.all);
    if (redacted !== text) record.text = redacted;
  }

  /** True when the bytes of a line without fields say that there is nothing in it. */
  private isClean(record: LineRecord): boolean {
    return this.options.patterns.length === 0 && !record.hasOwnFields && record.bitsOf(this.needles) === 0;
  }

  /**
   * Looks into a line that stands for its fields. False when that takes the fields; then it has done nothing, or nothing
   * but what named fields ask for.
   */
  private redactLine(record: LineRecord): boolean {
    if (this.looksAtTexts && (this.line === undefined || record.isShortened || this.matches(record))) return false;
    const count = record.cutFields(this.fieldNames, this.mark);
    if (count === undefined) return false;
    for (let n = 0; n < count; n++) this.options.count("field");
    if (this.line === undefined || !this.looksAtTexts) return true;
    this.patterns = none;
    this.held.length = 0;
    this.isHeld = true;
    const isFound = record.cutMore(this.line);
    this.isHeld = false;
    if (this.line.isBeyond) return false;
    for (const kind of this.held) this.options.count(kind);
    // As where fields were looked into and had nothing.
    const isSuspect = count === 0 && !isFound && (this.line.bits !== 0 || record.isRespelled);
    if (isSuspect && record.bitsOf(this.needles) !== 0) this.redactText(record, record.peek());
    return true;
  }

  private matches(record: LineRecord): boolean {
    return this.options.patterns.length > 0 && this.likely(record.peek()).length > 0;
  }

  /** True when something was replaced. */
  private redactFields(fields: Record<string, unknown>, text: string): boolean {
    let changed = false;
    for (const path of this.options.fields) {
      if (path.get(fields) === this.options.with || !path.replace(fields, this.options.with)) continue;
      this.options.count("field");
      changed = true;
    }
    const suspects = this.suspected(text);
    this.patterns = this.options.patterns.length === 0 ? none : this.likely(text);
    if (suspects === 0 && this.patterns.length === 0 && !this.options.byName) return changed;
    return this.walk(fields, suspects, 0) || changed;
  }

  /** Fields are read from the text: what is not in it is not in them. Unless it is written there in escapes. */
  private suspected(text: string): number {
    if (this.all === 0) return 0;
    const found = this.needles.scan(text);
    return (found & jsonEscape[1]) === 0 ? found : this.all;
  }

  /** The patterns that match in the text, and those of which that says nothing: their match depends on what is around. */
  private likely(text: string): readonly RedactionPattern[] {
    if (text.length > mostPatternText || text.includes("\\")) return this.options.patterns;
    return this.options.patterns.filter(({ pattern }) => {
      pattern.lastIndex = 0;
      return /[$^]|\\[bB]|\(\?/.test(pattern.source) || pattern.test(text);
    });
  }

  private walk(container: Container, suspects: number, depth: number): boolean {
    // Both kinds of container, without a list of entries for each.
    const values = container as Record<string, unknown>;
    const looksAtNames = (suspects !== 0 || this.patterns.length > 0) && !Array.isArray(container);
    let changed = false;
    let isRenamed = false;
    for (const key in values) {
      const before = values[key];
      const after = this.isNamed(key, before) ? this.options.with : this.value(before, suspects, depth);
      if (looksAtNames && !isRenamed) isRenamed = this.redacted(key, suspects, false) !== key;
      if (after === before) continue;
      if (after !== touched) values[key] = after;
      changed = true;
    }
    if (isRenamed) this.rename(values, suspects);
    return changed || isRenamed;
  }

  /** True for a value, of whatever type, whose name says that it is a secret; but for none, and one replaced before. */
  private isNamed(key: string, value: unknown): boolean {
    if (!this.options.byName || value === null || !this.isSecret(key)) return false;
    if (value !== this.options.with) this.count("keyValues");
    return true;
  }

  private value(before: unknown, suspects: number, depth: number): unknown {
    if (typeof before === "object" && before !== null) return this.inner(before, suspects, depth);
    if (suspects === 0 && this.patterns.length === 0) return before;
    if (typeof before === "string") return this.redacted(before, suspects);
    return typeof before === "number" ? this.number(before, suspects) : before;
  }

  private number(before: number, suspects: number): unknown {
    if (suspects === 0 || before < leastCardNumber) return before;
    const written = String(before);
    const redacted = this.redacted(written, suspects);
    return redacted === written ? before : redacted;
  }

  /** Fields whose names have secrets in them get other names, all in the order they had. */
  private rename(fields: Record<string, unknown>, suspects: number): void {
    const before = Object.entries(fields);
    for (const [name] of before) delete fields[name];
    for (const [name, value] of before) put(fields, unused(fields, this.redacted(name, suspects)), value);
  }

  /** What stands instead: itself, or `touched` when something within it was replaced. */
  private inner(before: object, suspects: number, depth: number): unknown {
    if (!isFields(before) && !Array.isArray(before)) return before;
    if (depth >= mostDepth) return this.whole("depth");
    return this.walk(before, suspects, depth + 1) ? touched : before;
  }

  private whole(kind: string): string {
    this.count(kind);
    return this.options.with;
  }

  private count(kind: string): void {
    if (this.isHeld) this.held.push(kind);
    else this.options.count(kind);
  }

  private isSecret(name: string): boolean {
    const known = this.names.get(name);
    if (known !== undefined) return known;
    const isSecret = isSecretName(name);
    if (this.names.size < mostNames) this.names.set(name, isSecret);
    return isSecret;
  }

  /** `suspects` has a bit for each shape that may be there. */
  private redacted(text: string, suspects: number, isCounted = true): string {
    let redacted = text;
    const found = suspects === 0 ? 0 : this.needles.scan(text) & suspects;
    for (let at = 0; found >> at !== 0; at++) {
      if ((found & (1 << at)) === 0) continue;
      const [name, shape] = this.shapes[at]!;
      redacted = shape.replace(redacted, this.instead(name, this.options.with, isCounted));
    }
    for (const one of this.patterns) {
      const replacement = this.instead("pattern", one.with, isCounted);
      redacted = inPieces(redacted, (piece) => piece.replace(one.pattern, (match: string) => replacement(match)));
    }
    return redacted;
  }

  /** What was replaced before is not counted again. */
  private instead(kind: string, text: string, isCounted: boolean): Replacement {
    return (secret) => {
      if (isCounted && secret !== text) this.count(kind);
      return text;
    };
  }
}

/** The name, or one like it that no field has. */
function unused(fields: Record<string, unknown>, name: string): string {
  let other = name;
  for (let number = 2; Object.hasOwn(fields, other); number++) other = `${name} ${number}`;
  return other;
}

/** A character in an escape of JSON, with a bit beyond those of shapes. */
const jsonEscape = ["\\u", 1 << 30] as const;
const none: readonly RedactionPattern[] = [];
const touched = Symbol("touched");
