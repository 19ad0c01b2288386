import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { NeedleScan } from "./needle-scan.ts";

describe("a scan finds", () => {
  const scan = new NeedleScan([
    ["he", 1],
    ["she", 2],
    ["hers", 4],
    ["0000-0", 8],
  ]);

  test.each([
    ["", 0],
    ["ushers", 7],
    ["SHE", 3],
    ["s he", 1],
    ["h\u00e9", 0],
    ["\u0168he", 1],
    ["1234-5", 8],
    ["123-45", 0],
    ["hhhe", 1],
    ["shx", 0],
  ])("in %p the bits %p", (text, bits) => {
    expect(scan.scan(text)).toBe(bits);
    const bytes = Buffer.from(`she${text}she`);
    expect(scan.scanBytes(bytes, 3, bytes.length - 3)).toBe(bits);
    expect(scan.scanString(Buffer.from(`"${text}",she"`), 1)).toBe(bits);
    expect(scan.stop).toBe(Buffer.byteLength(text) + 1);
  });

  test.each([
    ['"s\\he"', 0, 5],
    ['"s\\"he"she', 1, 6],
    ['"\\she"', 1, 5],
    ['"\\\\"she"', 0, 3],
  ])("in the string %p the bits %p, and its end", (json, bits, stop) => {
    expect([scan.scanString(Buffer.from(json), 1), scan.stop]).toEqual([bits, stop]);
  });

  test("no end of a string that has none", () => {
    expect(() => scan.scanString(Buffer.from('"she'), 1)).toThrow("without an end");
  });

  test.each([
    ["sh-e", 3],
    ["x_H.E1", 1],
    ["hers ", 4],
    ["hersx", 0],
    ["", 0],
    ["éhe", -1],
  ])("at the end of %p, letters only, the bits %p", (text, bits) => {
    const bytes = Buffer.from(`he${text}he`);
    expect(scan.scanEnd(bytes, 2, bytes.length - 2)).toBe(bits);
  });

  test("what a search for each word by itself finds", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "A", "-", "1", "é"), maxLength: 40 });
    const word = fc.string({ unit: fc.constantFrom("a", "b", "-"), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.uniqueArray(word, { minLength: 1, maxLength: 8 }), letters, (words, text) => {
        const made = new NeedleScan(words.map((one, at) => [one, 1 << at]));
        const expected = words.reduce((sum, one, at) => (text.toLowerCase().includes(one) ? sum | (1 << at) : sum), 0);
        expect(made.scan(text)).toBe(expected);
        const bytes = Buffer.from(text);
        expect(made.scanBytes(bytes, 0, bytes.length)).toBe(expected);
        expect(made.scanString(Buffer.concat([bytes, Buffer.from('"')]), 0)).toBe(expected);
        const letters = text.toLowerCase().replace(/[^a-z]/g, "");
        const ends = words.reduce((sum, one, at) => (letters.endsWith(one) ? sum | (1 << at) : sum), 0);
        expect(made.scanEnd(bytes, 0, bytes.length)).toBe(text.includes("é") ? -1 : ends);
      }),
      { numRuns: 500 },
    );
  });
});

test("a word it cannot tell apart is refused", () => {
  expect(() => new NeedleScan([["a!", 1]])).toThrow('"!" cannot be looked for');
});
