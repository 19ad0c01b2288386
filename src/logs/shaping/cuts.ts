/** Parts of a line that something else stands for: the line itself stays the bytes it was read as. */
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

/** All cuts with one more, which lies between them, or in the place of those that begin within it. */
export function cutInto(cuts: Cut | undefined, from: number, to: number, instead: Buffer): Cut {
  if (cuts === undefined || to <= cuts.from) return { from, to, instead, next: cuts };
  const before: Cut[] = [];
  let rest: Cut | undefined = cuts;
  for (; rest !== undefined && rest.from < from; rest = rest.next) before.push(rest);
  while (rest !== undefined && rest.from < to) rest = rest.next;
  return before.reduceRight((next: Cut, cut) => ({ ...cut, next }), { from, to, instead, next: rest });
}

/** True when that is what stands there already, by a cut or in the line itself. */
export function isWritten({ memory, cuts }: CutLine, from: number, to: number, instead: Buffer): boolean {
  for (let cut = cuts; cut !== undefined && cut.from <= from; cut = cut.next) {
    if (cut.from === from) return cut.instead.equals(instead);
  }
  return to - from === instead.length && instead.compare(memory, from, to) === 0;
}

/** The line as text. */
export function cutText({ memory, start, end, cuts }: CutLine): string {
  let text = "";
  let place = start;
  for (let cut = cuts; cut !== undefined; cut = cut.next) {
    text += memory.toString("utf8", place, cut.from) + cut.instead.toString();
    place = cut.to;
  }
  return text + memory.toString("utf8", place, end);
}
