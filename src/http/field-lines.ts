/** The field lines of a head that was read: which go on, and what they say. */
import { trimmed } from "./grammar.ts";
import type { Head } from "./head.ts";

/** Cuts in order and without overlaps, as `keptFields` needs them. */
export function orderedCuts(cuts: number[] | null): number[] | null {
  if (cuts === null) return null;
  const ends = new Map<number, number>();
  for (let i = 0; i < cuts.length; i += 2) ends.set(cuts[i]!, cuts[i + 1]!);
  return [...ends].sort((a, b) => a[0] - b[0]).flat();
}

/** The field lines that go on, each with its CRLF. */
export function keptFields(head: Head): string {
  const { text, cuts, fieldsStart, fieldsEnd } = head;
  if (cuts === null) return text.slice(fieldsStart, fieldsEnd);
  let kept = "";
  let position = fieldsStart;
  for (let i = 0; i < cuts.length; i += 2) {
    if (cuts[i]! > position) kept += text.slice(position, cuts[i]!);
    position = cuts[i + 1]!;
  }
  return position < fieldsEnd ? kept + text.slice(position, fieldsEnd) : kept;
}

export interface FieldLine {
  readonly start: number;
  readonly nameEnd: number;
  /** After the CRLF. */
  readonly end: number;
}

/** Every field line of a scanned head. */
export function* fieldLines(head: Head): Generator<FieldLine> {
  let start = head.fieldsStart;
  while (start < head.fieldsEnd) {
    const end = head.text.indexOf("\r\n", start) + 2;
    yield { start, nameEnd: head.text.indexOf(":", start), end };
    start = end;
  }
}

/** True for a line that is not sent on. */
export function isCut(head: Head, start: number): boolean {
  const { cuts } = head;
  if (cuts === null) return false;
  for (let i = 0; i < cuts.length; i += 2) if (cuts[i] === start) return true;
  return false;
}

/** The value of the first field of that lower-case name, joined with further ones (RFC 9110 section 5.3). */
export function findField(head: Head, name: string): string | undefined {
  const { lower, text, fieldsEnd } = head;
  const wanted = `\r\n${name}:`; // no value has a line end in it, so this is the beginning of a line
  let found: string | undefined;
  let before = lower.indexOf(wanted, head.fieldsStart - 2);
  while (before !== -1 && before < fieldsEnd) {
    const end = text.indexOf("\r\n", before + 2);
    if (!isCut(head, before + 2)) {
      const value = trimmed(text.slice(before + wanted.length, end));
      found = found === undefined ? value : `${found}, ${value}`;
    }
    before = lower.indexOf(wanted, end);
  }
  return found;
}
