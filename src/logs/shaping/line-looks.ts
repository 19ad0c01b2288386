/** Who looks into lines, and at what of them. */
import type { Cut, CutLine } from "./cuts.ts";
import type { LineRecord } from "./line-record.ts";

/** Who reads fields when they are asked for. */
export interface LateReader {
  /** Reads the text as it was, sets time and severity, and returns the fields. */
  readLate(record: LineRecord, text: string): Record<string, unknown>;
}

/** A name of a field, and names of fields it may be within. In UTF-8. */
export interface FieldName {
  readonly whole: Uint8Array;
  readonly parents: readonly Uint8Array[];
}

/** Who looks into a line that stands for its fields. */
export interface LineSearch {
  /** All cuts of the line, with those it has; undefined when there are no more than those. */
  search(line: CutLine): Cut | undefined;
}

/** Who looks for words in bytes. */
export interface ByteScan {
  scanBytes(bytes: Uint8Array, from: number, to: number): number;
}
