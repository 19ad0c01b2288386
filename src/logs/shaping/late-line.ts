/**
 * A line of plain JSON that stands for its fields until somebody asks for them: as it was read, or in memory of lines
 * written anew; with what was cut out of it.
 */
import type { LogFields } from "../../contracts.ts";
import { type Cut, type CutLine, cutInto, isWritten } from "./cuts.ts";
import { namesOf } from "./field-names.ts";
import type { FieldName, LateReader, LineSearch } from "./line-looks.ts";
import { asBuffer, isAllUtf8 } from "./line-text.ts";
import { PlainJson } from "./plain-json.ts";

const json = new PlainJson();
/** Which line `json` has looked at. */
let scanned: LateLine | undefined;

export class LateLine implements CutLine {
  readonly reader: LateReader;
  readonly memory: Buffer;
  readonly start: number;
  readonly end: number;
  cuts: Cut | undefined = undefined;
  /** True when it is written otherwise than it was read, but for white space. */
  readonly isRespelled: boolean;
  /** Fields of the source of which none is named as one of the line. */
  private readonly apart: LogFields | undefined;

  private constructor(reader: LateReader, ofSource: LogFields) {
    this.reader = reader;
    this.memory = asBuffer(json.memory);
    this.start = json.start;
    this.end = json.end;
    this.isRespelled = json.isRespelled;
    this.apart = namesOf(ofSource).some(isThere) ? undefined : ofSource;
  }

  /** Undefined for a line of which it is not certain how its fields would be written. */
  static of(memory: Buffer, start: number, end: number, reader: LateReader, ofSource: LogFields): LateLine | undefined {
    if (!isAllUtf8(memory)) return undefined;
    scanned = undefined;
    if (json.scan(memory, start, end)) scanned = new LateLine(reader, ofSource);
    return scanned;
  }

  /** True when it can be written beside these fields of its source. */
  isApartFrom(ofSource: LogFields): boolean {
    return this.apart === ofSource;
  }

  /**
   * Replaces the values of fields, if they are there, where they are written; `instead` is JSON. Returns how many were
   * replaced, which did not stand there already; undefined, and does nothing, when that takes the fields themselves.
   */
  cutFields(names: readonly FieldName[], instead: Buffer): number | undefined {
    this.rescan();
    if (names.some(isWithin)) return undefined;
    let count = 0;
    for (const { whole } of names) if (this.cutMember(json.find(whole), instead)) count++;
    return count;
  }

  /** Cuts out what is found in it. Returns whether something was. */
  cutMore(where: LineSearch): boolean {
    const cuts = where.search(this);
    if (cuts !== undefined) this.cuts = cuts;
    return cuts !== undefined;
  }

  private cutMember(member: number, instead: Buffer): boolean {
    if (member < 0) return false;
    const from = json.valueBegin(member);
    const to = json.valueEnd(member);
    if (isWritten(this, from, to, instead)) return false;
    this.cuts = cutInto(this.cuts, from, to, instead);
    return true;
  }

  private rescan(): void {
    if (scanned === this) return;
    json.scan(this.memory, this.start, this.end);
    scanned = this;
  }
}

function isThere(name: Uint8Array): boolean {
  return json.find(name) >= 0;
}

/** True for a field that may be within another of the line. */
function isWithin({ whole, parents }: FieldName): boolean {
  return parents.length > 0 && !isThere(whole) && parents.some(isThere);
}
