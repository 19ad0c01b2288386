import { describe, expect, test } from "bun:test";
import { encodeAs } from "../../../test/kit/encode.ts";
import { seeded, seedOf } from "../../../test/kit/random.ts";
import files from "../../log-inputs/files.ts";
import { detect, encodingOf, utf8 } from "./encoding.ts";

const labels = [
  ...["utf-8", "utf-16le", "utf-16be", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "euc-kr"],
  ...["latin1", "iso-8859-2", "iso-8859-5", "iso-8859-7", "iso-8859-15", "koi8-r", "koi8-u", "ibm866", "macintosh"],
  ...["windows-1250", "windows-1251", "windows-1252", "windows-1253", "windows-1254", "windows-1255", "windows-1256"],
  ...["windows-1257", "windows-1258", "windows-874"],
];

function newlines(bytes: Uint8Array): number {
  return bytes.reduce((sum, byte) => sum + Number(byte === 10), 0);
}

test.each(labels)("%s is offered by the input", (encoding) => {
  expect(files.config.safeParse({ paths: ["x"], encoding }).success).toBe(true);
});

test.each(labels)("%s: the n-th newline of the text is the n-th of the bytes, whatever the bytes are", (label) => {
  const random = seeded(seedOf(`bytes in ${label}`)).next;
  const encoding = encodingOf(label);
  for (let round = 0; round < 300; round++) {
    const bytes = Buffer.alloc(2 * Math.ceil(random() * 200));
    // Mostly bytes that begin characters, newlines, and bytes that end them.
    for (let at = 0; at < bytes.length; at++) {
      bytes[at] =
        random() < 0.15 ? 10 : random() < 0.1 ? 0x1b : random() < 0.5 ? 0x80 + random() * 128 : random() * 128;
    }
    const whole = bytes.subarray(0, encoding.wholeLines(bytes, 0, bytes.length));
    const starts = encoding.lineStarts(whole);
    const text = encoding.decode(whole).bytes;
    expect({ round, newlines: newlines(text) }).toEqual({ round, newlines: starts.length });
    // Each line by itself says the same as all together: a block may begin at any of them.
    const lines = starts.map((start, at) => encoding.decode(whole.subarray(start, starts[at + 1])).bytes);
    expect(Buffer.concat(lines).equals(text)).toBe(true);
  }
});

describe("lines in UTF-16", () => {
  test("end at whole characters only", () => {
    // U+0A0A, U+0A00 and U+000A in both orders of bytes.
    for (const label of ["utf-16le", "utf-16be"]) {
      const bytes = Buffer.from(encodeAs(label, "\u0a0a\u0a00x\u000ay\u0a00\u0a0a"));
      expect(encodingOf(label).wholeLines(bytes, 0, bytes.length)).toBe(8);
      expect(encodingOf(label).firstLine(bytes)).toBe(8);
    }
  });

  test("a lone surrogate before a newline costs that one character", () => {
    const { bytes, replaced } = encodingOf("utf-16le").decode(encodeAs("utf-16le", "a\ud800\nb\n"));
    expect([Buffer.from(bytes).toString(), replaced]).toEqual(["a\ufffd\nb\n", 1]);
  });
});

test.each([
  [[], undefined],
  [[0xff], undefined],
  [[0xfe], undefined],
  [[0xff, 0xfe], "utf-16le"],
  [[0xfe, 0xff], "utf-16be"],
  [[0xef, 0xbb, 0xbf], "utf-8"],
  [[0xff, 0x41], "utf-8"],
  [[0x0a], "utf-8"],
])("a file that begins with %p", (head, label) => {
  expect(detect(Uint8Array.from(head))?.label).toBe(label);
});

test("the beginning of a line leaves out the character that its end cuts in two", () => {
  const bytes = encodeAs("gbk", "日志");
  expect(Buffer.from(encodingOf("gbk").decodeBeginning(bytes.subarray(0, 3))).toString()).toBe("日");
  expect(utf8.markLength(Uint8Array.of(0xef, 0xbb))).toBe(0);
});
