/**
 * What the bytes of a file mean. Lines leave as UTF-8; a file that is UTF-8 already leaves byte for byte, and nothing
 * here is asked about its lines but where they end.
 *
 * In every encoding but UTF-16 a newline is the byte 0A and that byte is nothing else, so lines are found as they are
 * in UTF-8. (Of the encodings of the WHATWG standard that is not so in ISO-2022-JP, which is not offered.) In UTF-16 it
 * is two bytes at an even distance from the beginning of the line. Decoding keeps every newline and makes none: the n-th
 * of the text is the n-th of the file, which is what takes a place in the text back to an offset in the file.
 */
import { readAt } from "./identity.ts";

/** Text of whole lines, and how many characters in it stand for bytes that mean nothing. */
export interface Decoded {
  readonly bytes: Uint8Array;
  readonly replaced: number;
}

const newline = 10;
/** What a file in one of these may begin with, the byte order mark. */
const marks: Readonly<Record<string, Uint8Array>> = {
  "utf-8": Uint8Array.of(0xef, 0xbb, 0xbf),
  "utf-16le": Uint8Array.of(0xff, 0xfe),
  "utf-16be": Uint8Array.of(0xfe, 0xff),
};
const encoder = new TextEncoder();

export class Encoding {
  readonly label: string;
  readonly isUtf8: boolean;
  /** Bytes of a newline, and the distance at which characters begin. */
  readonly unit: 1 | 2;
  private readonly newline: Buffer;
  private readonly mark: Uint8Array;
  private readonly strict: TextDecoder;
  private readonly lenient: TextDecoder;

  /** `label` is one that TextDecoder knows. */
  constructor(label: string) {
    this.strict = decoder(label, true);
    this.lenient = decoder(label, false);
    this.label = this.strict.encoding;
    this.isUtf8 = this.label === "utf-8";
    this.unit = this.label.startsWith("utf-16") ? 2 : 1;
    this.newline = this.label === "utf-16le" ? Buffer.of(newline, 0) : Buffer.of(0, newline).subarray(2 - this.unit);
    this.mark = marks[this.label] ?? new Uint8Array();
  }

  /** Bytes of the byte order mark at the beginning of a file; 0 where there is none. */
  markLength(head: Uint8Array): number {
    return startsWith(head, this.mark) ? this.mark.length : 0;
  }

  /** Length of the whole lines in `got` bytes at `from`, where a line begins; 0 when none ends there. */
  wholeLines(buffer: Buffer, from: number, got: number): number {
    if (this.unit === 1) return Math.max(0, buffer.lastIndexOf(newline, from + got - 1) + 1 - from);
    for (let at = from + got - 2; at >= from; at--) {
      at = buffer.lastIndexOf(this.newline, at);
      if (at < from) return 0;
      if ((at - from) % 2 === 0) return at + 2 - from;
    }
    return 0;
  }

  /** Length up to and with the first newline of `bytes`, which begin with a whole character; 0 when there is none. */
  firstLine(bytes: Buffer): number {
    if (this.unit === 1) return bytes.indexOf(newline) + 1;
    for (let at = bytes.indexOf(this.newline); at >= 0; at = bytes.indexOf(this.newline, at + 1)) {
      if (at % 2 === 0) return at + 2;
    }
    return 0;
  }

  /** Where the lines of `bytes`, all of them whole, begin. */
  lineStarts(bytes: Uint8Array): number[] {
    const rest = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const starts: number[] = [];
    for (let at = 0, length = 1; length > 0 && at < bytes.length; at += length) {
      starts.push(at);
      length = this.firstLine(rest.subarray(at));
    }
    return starts;
  }

  /** Whole lines, or a whole rest of one, as UTF-8. */
  decode(bytes: Uint8Array): Decoded {
    try {
      return { bytes: encoder.encode(this.strict.decode(bytes)), replaced: 0 };
    } catch {
      const text = this.lenient.decode(bytes);
      return { bytes: encoder.encode(text), replaced: text.split("\ufffd").length - 1 };
    }
  }

  /** The beginning of a line as UTF-8, without the character that its end cuts in two. */
  decodeBeginning(bytes: Uint8Array): Uint8Array {
    return encoder.encode(decoder(this.label, false).decode(bytes, { stream: true }));
  }
}

/** A mark in the middle of a file is text. */
function decoder(label: string, fatal: boolean): TextDecoder {
  // The types know a few labels only.
  return new TextDecoder(label as Bun.Encoding, { fatal, ignoreBOM: true });
}

const known = new Map<string, Encoding>();

/** The encoding of this label; the same object for all who ask. */
export function encodingOf(label: string): Encoding {
  const encoding = known.get(label) ?? new Encoding(label);
  known.set(label, encoding);
  return encoding;
}

export const utf8 = encodingOf("utf-8");

/**
 * What a file says of itself by its first bytes: UTF-16 where its byte order mark stands there, otherwise UTF-8.
 * Undefined when there are too few of them yet; no line can end in those.
 */
export function detect(head: Uint8Array): Encoding | undefined {
  for (const label of ["utf-16le", "utf-16be"]) {
    const mark = marks[label]!;
    if (startsWith(head, mark)) return encodingOf(label);
    if (startsWith(mark, head)) return undefined;
  }
  return utf8;
}

function startsWith(bytes: Uint8Array, beginning: Uint8Array): boolean {
  return beginning.every((byte, at) => bytes[at] === byte);
}

const searchBytes = 64 * 1024;

/** Offset after the last newline of the file: where reading begins that is to leave out what is there. */
export function lastLineEnd(fd: number, size: number, encoding: Encoding): number {
  const whole = size - (size % encoding.unit);
  for (let end = whole; end > 0; end -= searchBytes) {
    const start = Math.max(0, end - searchBytes);
    const length = encoding.wholeLines(Buffer.from(readAt(fd, start, end - start).buffer), 0, end - start);
    if (length > 0) return start + length;
  }
  return 0;
}
