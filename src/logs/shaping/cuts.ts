/** Parts of a line that something else stands for: the line itself stays the bytes it was read as. */
import { decoded } from "./line-text.ts";

export interface Cut {
  /** Places in the memory of the line. */
  readonly from: number;
  readonly to: number;
  /** What stands there, in UTF-8. */
  readonly instead: Buffer;
  /** The one after it in the line. */
  readonly next: Cut | undefined;
}

/** A line with its cuts, of which there may be none. */
export interface CutLine {
  readonly memory: Buffer;
  readonly start: number;
  readonly end: number;
  readonly cuts: Cut | undefined;
}

/** All cuts with one more, which lies between them or in the place of one. */
export function cutInto(cuts: Cut | undefined, from: number, to: number, instead: Buffer): Cut {
  if (cuts === undefined || from < cuts.from) return { from, to, instead, next: cuts };
  if (from === cuts.from) return { from, to, instead, next: cuts.next };
  return { ...cuts, next: cutInto(cuts.next, from, to, instead) };
}

/** The line as text. */
export function cutText({ memory, start, end, cuts }: CutLine): string {
  let text = "";
  let place = start;
  for (let cut = cuts; cut !== undefined; cut = cut.next) {
    text += decoded(memory, place, cut.from) + cut.instead.toString();
    place = cut.to;
  }
  return text + decoded(memory, place, end);
}
