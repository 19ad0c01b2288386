import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { PlainJson } from "./plain-json.ts";

const json = new PlainJson();

function isPlain(text: string): boolean {
  // Within other bytes, as a line lies in its block.
  const bytes = Buffer.from(`"${text}",`);
  return json.scan(bytes, 1, bytes.length - 2);
}

const plain = [
  "{}",
  '{"a":1}',
  '{"a":"","b":[],"c":{},"d":[1,"x",null,{"e":true}],"f":false}',
  '{"a":-1,"b":0,"c":0.5,"d":-0.5,"e":123456789012345,"f":12345.6789012345,"g":0.000001}',
  '{"":1,"__proto__":2,"constructor":{"a":1}}',
  '{"näme":"Ünïcode 🙂 \u2028\u007f"}',
  '{"a":"\\"","b":"\\\\","c":"x\\n\\r\\ty\\b\\f","d":"\\"\\""}',
  '{"a":{"a":1},"b":[{"a":1},{"a":2}]}',
];

for (const text of plain) {
  test(`${text} is plain`, () => {
    expect(JSON.stringify(JSON.parse(text))).toBe(text);
    expect(isPlain(text)).toBe(true);
  });
}

const others = [
  "",
  "{",
  "}",
  "[]",
  '"a"',
  "{}x",
  "{}{}",
  '{"a"}',
  '{"a":}',
  '{"a":1,}',
  '{,"a":1}',
  '{"a":[1,]}',
  '{"a":[1 ]}',
  '{"a": 1}',
  ' {"a":1}',
  '{"a":1} ',
  '{"a":"\\u000a"}',
  '{"a":"\\/"}',
  '{"a":"\\x"}',
  '{"a":"\\"}',
  '{"a":"\\\\\\"}',
  '{"a":"\\',
  '{"a\\n":1}',
  '{"a\\u0062":1}',
  '{"a":"\t"}',
  '{"a":"x',
  '{"a":1,"a":2}',
  '{"b":{"a":1,"c":2,"a":3}}',
  '{"b":1,"0":2}',
  '{"a":-0}',
  '{"a":1.0}',
  '{"a":01}',
  '{"a":1e3}',
  '{"a":1.5E3}',
  '{"a":.5}',
  '{"a":1.}',
  '{"a":-}',
  '{"a":0.0000001}',
  '{"a":1234567890123456}',
  '{"a":9007199254740993}',
  '{"a":tru}',
  '{"a":nul}',
  '{"a":True}',
  `${'{"a":'.repeat(40)}1${"}".repeat(40)}`,
];

for (const text of others) test(`${text} is not plain`, () => expect(isPlain(text)).toBe(false));

test("a line that ends within its block ends there", () => {
  const bytes = Buffer.from('{"a":123}');
  for (let end = 0; end < bytes.length; end++) expect(json.scan(bytes, 0, end)).toBe(false);
  expect(json.scan(bytes, 0, bytes.length)).toBe(true);
});

test("members at the top level are found by name", () => {
  const text = '{"a":{"b":1},"é":"x","c":[2,{"a":3}]}';
  const bytes = Buffer.from(text);
  expect(json.scan(bytes, 0, bytes.length)).toBe(true);
  expect(json.count).toBe(3);
  const written = (name: string) => {
    const member = json.find(Buffer.from(name));
    return member < 0 ? undefined : bytes.toString("utf8", json.valueBegin(member), json.valueEnd(member));
  };
  expect(["a", "é", "c", "b", "", "e"].map(written)).toEqual([
    '{"b":1}',
    '"x"',
    '[2,{"a":3}]',
    undefined,
    undefined,
    undefined,
  ]);
});

test("what is plain is what JSON.stringify makes of it again", () => {
  let seen = 0;
  const name = fc.oneof(fc.constantFrom("a", "b", "1", "__proto__", "x y", "é"), fc.string());
  const number = fc.oneof(
    fc.integer(),
    fc.double({ noNaN: true }),
    fc.integer({ min: -9e5, max: 9e5 }).map((n) => n / 1000),
  );
  const { object } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      number,
      fc.string({ unit: "binary" }),
      fc.boolean(),
      fc.constant(null),
      tie("object"),
      fc.array(tie("value")),
    ),
    object: fc.dictionary(name, tie("value")),
  }));
  const texts = fc.oneof(
    object.map((value) => JSON.stringify(value)),
    // Broken somewhere, or merely written in another way.
    fc
      .tuple(object, fc.nat(), fc.constantFrom("", " ", "0", ",", '"', "-", ".", "e", "}", "\\"))
      .map(([value, at, put]) => {
        const text = JSON.stringify(value);
        const place = at % (text.length + 1);
        return text.slice(0, place) + put + text.slice(place + (at % 2));
      }),
  );
  fc.assert(
    fc.property(texts, (text) => {
      if (!text.isWellFormed() || !isPlain(text)) return;
      seen++;
      expect(JSON.stringify(JSON.parse(text))).toBe(text);
    }),
    { numRuns: 1_500 },
  );
  expect(seen).toBeGreaterThan(50);
});
