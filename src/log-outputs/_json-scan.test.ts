import { expect, test } from "bun:test";
import fc from "fast-check";
import { JsonScan } from "./_json-scan.ts";

const scan = new JsonScan(["a", "@timestamp", "ä"]);

function found(text: string): false | number[] {
  const bytes = Buffer.from(`xx${text}}}`);
  return scan.scan(bytes, 2, bytes.length - 2) && [...scan.found];
}

function isObject(text: string): boolean {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}

test.each([
  ["{}", [0, 0, 0]],
  [' { "a" : 1 , "b":{"@timestamp":2}}\t', [1, 0, 0]],
  ['{"ä":[],"@timestamp":"x"}', [0, 1, 1]],
  ['{"a":{"a":[{"a":{}}]},"aa":0}', [1, 0, 0]],
] as const)("sees names in %s", (text, names) => {
  expect(found(text)).toEqual([...names]);
});

test.each(["", "{", "}", "[]", "1", '"a"', "{}{}", "{},", '{"a"}', '{"a":}', '{"a":1,}', "{,}", '{"a":1 "b":2}'])(
  "takes %s for none",
  (text) => {
    expect(found(text)).toBe(false);
  },
);

test.each([
  "01",
  "1.",
  ".5",
  "-",
  "1e",
  "+1",
  "tru",
  "truee",
  "nul",
  '"\\x"',
  '"\\u12g4"',
  '"a\tb"',
  "[1,]",
  "[,1]",
  "NaN",
])("takes no %s for a value", (value) => {
  expect(found(`{"a":${value}}`)).toBe(false);
  expect(isObject(`{"a":${value}}`)).toBe(false);
});

test("knows when a name may be another one", () => {
  expect([found('{"\\u0061":1}'), scan.isUnsure]).toEqual([[0, 0, 0], true]);
  expect([found('{"b":"\\u0061"}'), scan.isUnsure]).toEqual([[0, 0, 0], false]);
});

test("gives up where parsers at the other end do", () => {
  const nested = (depth: number) => `{"b":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  expect([found(nested(100)), found(nested(300))]).toEqual([[0, 0, 0], false]);
});

test("takes every object that is written, and nothing that is no object any more by a change of one byte", () => {
  const json = fc.dictionary(fc.string({ unit: "grapheme" }), fc.jsonValue(), { noNullPrototype: true });
  fc.assert(
    fc.property(json, fc.nat(), fc.constantFrom(...'{}[]",:\\0123456789eE+-.truefalsn \u0001'), (value, at, byte) => {
      const text = JSON.stringify(value);
      expect(found(text)).not.toBe(false);
      const place = at % text.length;
      const changed = `${text.slice(0, place)}${byte}${text.slice(place + 1)}`.toWellFormed();
      expect(found(changed) !== false).toBe(isObject(changed));
    }),
    { numRuns: 400 },
  );
});
