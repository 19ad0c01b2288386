import { expect, test } from "bun:test";
import * as fc from "fast-check";
import { jsonObjects, usualWords } from "../../../test/kit/json-text.ts";
import { PlainJson } from "./plain-json.ts";

const json = new PlainJson();

function isPlain(text: string): boolean {
  // Within other bytes, as a line lies in its block.
  const bytes = Buffer.from(`"${text}",`);
  return json.scan(bytes, 1, bytes.length - 2);
}

/** As it is written: undefined where it is not plain. */
function spelling(text: string): string | undefined {
  return isPlain(text) ? Buffer.from(json.memory).toString("utf8", json.start, json.end) : undefined;
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
    expect([json.start, json.isRespelled]).toEqual([1, false]);
  });
}

const anew: readonly (readonly [text: string, isRespelled: boolean])[] = [
  ['{"a": 1}', false],
  [' {"a":1}', false],
  ['{"a":1}\r', false],
  ['{ "a" : [ 1 , { } , [ ] , "x y" ] ,\t"b"\n:\r\n{ "c" : null } }', false],
  ['{"a":"\\/","b":"\\u00e9\\u4e16\\ud83d\\uDE42 \\u003c\\u2028"}', true],
  ['{"a":"\\u000a\\u001B\\u0022\\u005c\\u0000\\u007f"}', true],
  ['{"a":1.0,"b":0.10,"c":-0.50,"d":0.0,"e":0.0000001,"f":100.000}', true],
  ['{"a":9007199254740993,"b":12345678901234567890123}', true],
  ['{"a": 1234567890123456,"b": 1764154800.1234567}', false],
];

for (const [text, isRespelled] of anew) {
  test(`${JSON.stringify(text)} is written anew`, () => {
    expect(spelling(text)).toBe(JSON.stringify(JSON.parse(text)));
    expect(json.isRespelled).toBe(isRespelled);
  });
}

test("lines written anew lie one behind the other, each with its newline", () => {
  let [wanted, begin, memory]: [string, number, Buffer] = ["", 0, Buffer.alloc(0)];
  let memories = 0;
  for (let i = 0; i < 20_000; i++) {
    expect(isPlain(`{ "n": ${i}, "é": "\\u00e9" }`) && !isPlain(`{ "half": ${i}`)).toBe(true);
    if (json.memory.buffer !== memory.buffer) {
      expect(memory.toString("utf8", begin, begin + Buffer.byteLength(wanted))).toBe(wanted);
      [wanted, begin, memory] = ["", json.start, Buffer.from(json.memory.buffer)];
      memories++;
    }
    wanted += `{"n":${i},"é":"é"}\n`;
  }
  expect(memories).toBeGreaterThan(3);
});

test("a line longer than any before it is written anew", () => {
  const text = `{ "a": "${"x".repeat(300_000)}" }`;
  expect(spelling(text)).toBe(text.replaceAll(" ", ""));
});

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
  '{"a":-0.0}',
  '{"a":01}',
  '{"a":1e3}',
  '{"a":1.5E3}',
  '{"a":.5}',
  '{"a":1.}',
  '{"a":-}',
  "\ufeff{}",
  "{}\u00a0",
  "{\f}",
  '{"a":1 2}',
  '{"a":- 1}',
  '{"a":1. 5}',
  '{"a":t rue}',
  '{"a":"\\ u0041"}',
  '{"a":"\\u00 41"}',
  '{"a":"\\ud83d"}',
  '{"a":"\\ude42"}',
  '{"a":"\\ud83d\\u0041"}',
  '{"a":"\\u004',
  '{"a": 1, "a": 2}',
  `{"a":1${"0".repeat(400)}}`,
  '{"a":tru}',
  '{"a":nul}',
  '{"a":True}',
  `${'{"a":'.repeat(40)}1${"}".repeat(40)}`,
];

for (const text of others) test(`${text} is not plain`, () => expect(isPlain(text)).toBe(false));

test.each(['{"a":123}', '{ "a" : 12.50 }', '{"\u00e9":"\\u00e9\\ud83d\\ude42"}'])(
  "%s ends where its line ends",
  (text) => {
    const bytes = Buffer.from(text);
    for (let end = 0; end < bytes.length; end++) expect(json.scan(bytes, 0, end)).toBe(false);
    expect(json.scan(bytes, 0, bytes.length)).toBe(true);
  },
);

test.each(["", " ", " \t "])("members at the top level are found by name, white space %p between them", (gap) => {
  const text = '{"a":{"b":1},"é":"x","c":[2,{"a":3}]}'.replaceAll(/[{}[\]:,]/g, `${gap}$&${gap}`);
  const bytes = Buffer.from(text);
  expect(json.scan(bytes, 0, bytes.length)).toBe(true);
  expect(json.count).toBe(3);
  const written = (name: string) => {
    const member = json.find(Buffer.from(name));
    const memory = Buffer.from(json.memory);
    return member < 0 ? undefined : memory.toString("utf8", json.valueBegin(member), json.valueEnd(member));
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
      expect(JSON.stringify(JSON.parse(text))).toBe(spelling(text)!);
    }),
    { numRuns: 1_500 },
  );
  expect(seen).toBeGreaterThan(50);
});

test("whoever wrote it, it is spelled as JSON.stringify spells it, or is not plain", () => {
  const words = { ...usualWords, spaces: [...usualWords.spaces, "\n", "\r\n"] };
  let anew = 0;
  fc.assert(
    fc.property(jsonObjects(words), (text) => {
      const spelled = spelling(text);
      if (spelled === undefined) return;
      const fields = JSON.parse(text) as Record<string, unknown>;
      expect(spelled).toBe(JSON.stringify(fields));
      if (spelled !== text) anew++;
      for (const [name, value] of Object.entries(fields)) {
        const member = json.find(Buffer.from(name));
        const [begin, end] = [json.valueBegin(member), json.valueEnd(member)];
        expect(Buffer.from(json.memory).toString("utf8", begin, end)).toBe(JSON.stringify(value));
      }
    }),
    { numRuns: 2_000 },
  );
  expect(anew).toBeGreaterThan(200);
});
