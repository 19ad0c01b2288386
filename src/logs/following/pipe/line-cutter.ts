/**
 * Cuts lines that are longer than allowed while they pass: a pipe cannot be read again, and a line without an end must
 * fill neither memory nor disk. What it lets through is a line of at most `maxLine` bytes, its mark included.
 *
 *   line | passes on at once | held until it is known whether the line fits | left out and counted, up to the newline |
 */
import { cutMark, isContinuation } from "../long-line.ts";

const newline = 10;
const nothing = new Uint8Array();

export class LineCutter {
  private readonly maxLine: number;
  /** Bytes of a line that pass on at once; the rest must leave room for the mark. */
  private readonly mostAtOnce: number;
  private readonly onCut: (leftOut: number) => void;
  /** Bytes of the current line so far, and how many of them passed on. */
  private length: number;
  private passed: number;
  private held: Uint8Array = nothing;

  /** `begun` bytes of a line passed before this one took over. */
  constructor(maxLine: number, onCut: (leftOut: number) => void, begun = 0) {
    this.maxLine = maxLine;
    this.mostAtOnce = maxLine - cutMark(Number.MAX_SAFE_INTEGER).length;
    this.onCut = onCut;
    this.length = begun;
    this.passed = begun;
  }

  /** What of these bytes passes on, and of those that were held; nearly always the bytes themselves. */
  take(bytes: Uint8Array): Uint8Array {
    const first = bytes.indexOf(newline);
    const fits = this.length + (first < 0 ? bytes.length : first) <= this.mostAtOnce;
    if (!fits || bytes.length > this.mostAtOnce) return this.sift(bytes);
    this.length = first < 0 ? this.length + bytes.length : bytes.length - bytes.lastIndexOf(newline) - 1;
    this.passed = this.length;
    return bytes;
  }

  /** What is held of a line that was not finished; it counts as passed on. */
  rest(): Uint8Array {
    const { held } = this;
    if (this.length > this.maxLine && this.length > this.passed) this.onCut(this.length - this.passed);
    this.held = nothing;
    this.passed = this.length;
    return held;
  }

  /** Line by line. */
  private sift(bytes: Uint8Array): Uint8Array {
    const passing: Uint8Array[] = [];
    for (let at = 0; at < bytes.length; ) {
      const found = bytes.indexOf(newline, at);
      const end = found < 0 ? bytes.length : found;
      this.add(bytes.subarray(at, end), passing);
      if (found >= 0) this.end(passing);
      at = end + 1;
    }
    return Buffer.concat(passing);
  }

  private add(part: Uint8Array, passing: Uint8Array[]): void {
    const now = wholeCharacters(part, Math.max(0, this.mostAtOnce - this.length));
    if (now > 0) passing.push(part.subarray(0, now));
    this.passed += now;
    this.length += part.length;
    if (this.length > this.maxLine) this.held = nothing;
    else if (now < part.length) this.held = Buffer.concat([this.held, part.subarray(now)]);
  }

  private end(passing: Uint8Array[]): void {
    const left = this.length - this.passed;
    if (this.length <= this.maxLine || left === 0) passing.push(this.held, Buffer.of(newline));
    else {
      passing.push(cutMark(left));
      this.onCut(left);
    }
    this.held = nothing;
    this.length = 0;
    this.passed = 0;
  }
}

/** Of `most` bytes at most, those that do not end within a character. */
function wholeCharacters(part: Uint8Array, most: number): number {
  if (part.length <= most) return part.length;
  let count = most;
  for (let back = 0; back < 3 && count > 0 && isContinuation(part[count]); back++) count--;
  return count;
}
