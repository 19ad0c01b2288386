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
  ])("in %p the bits %p", (text, bits) => expect(scan.scan(text)).toBe(bits));

  test("what a search for each word by itself finds", () => {
    const letters = fc.string({ unit: fc.constantFrom("a", "b", "A", "-", "1", "é"), maxLength: 40 });
    const word = fc.string({ unit: fc.constantFrom("a", "b", "-"), minLength: 1, maxLength: 5 });
    fc.assert(
      fc.property(fc.uniqueArray(word, { minLength: 1, maxLength: 8 }), letters, (words, text) => {
        const made = new NeedleScan(words.map((one, at) => [one, 1 << at]));
        const expected = words.reduce((sum, one, at) => (text.toLowerCase().includes(one) ? sum | (1 << at) : sum), 0);
        expect(made.scan(text)).toBe(expected);
      }),
      { numRuns: 500 },
    );
  });
});

test("a word it cannot tell apart is refused", () => {
  expect(() => new NeedleScan([["a!", 1]])).toThrow('"!" cannot be looked for');
});
