/** JSON as all sorts of writers spell it: white space, escapes, long numbers, names twice. For property tests. */
import * as fc from "fast-check";

export interface JsonWords {
  /** Parts of texts, as they stand between quotes. */
  readonly parts: readonly string[];
  readonly names: readonly string[];
  readonly numbers: readonly string[];
  readonly spaces: readonly string[];
}

const parts = [
  ...["a", "xyz", " ", "é", "世界", "🙂", "\u2028", "\u007f", "/", "u", "0"],
  ...['\\"', "\\\\", "\\/", "\\b", "\\f", "\\n", "\\r", "\\t"],
  ...["\\u0041", "\\u00e9", "\\u00E9", "\\u4e16", "\\uD83D\\ude42", "\\u2028", "\\u003c"],
  ...["\\u001b", "\\u001B", "\\u0000", "\\u000a", "\\u0022", "\\u005c", "\\u007f"],
];
/** Half of a pair, what is no escape, what no text may hold. */
const oddParts = [
  "\\ud83d",
  "\\ude42\\ud83d",
  "\\ud83d\\u0041",
  "\\u12",
  "\\u00g0",
  "\\x",
  "\\U0041",
  "\u0001",
  "\t",
  '"',
];
const numbers = [
  ...["0", "-1", "12", "-0.5", "1.25", "123456789012345", "0.000001"],
  ...["1.0", "0.10", "-0", "-0.0", "0.0", "0.0000001", "1764154800.123456", "0.1000000000000000055511151231257827"],
  ...["1764154800123456789", "9007199254740993", "123456789012345678901234", "12345678901234567.0", "1e3", "1.5E-7"],
  ...["01", "1.", ".5", "-", "+1", "1e", "1e999", "0x1", `1${"0".repeat(400)}`],
];

export const usualWords: JsonWords = {
  parts,
  names: ["a", "b", "ab", "é", "", "__proto__", "1", "a.b", "x y"],
  numbers,
  spaces: [" ", "  ", "\t", "\r", " \t "],
};

const join = (list: readonly string[]) => list.join("");

/** Texts of objects; most are JSON. */
export function jsonObjects(words: JsonWords = usualWords): fc.Arbitrary<string> {
  const part = fc.constantFrom(...words.parts);
  const oddity = fc.constantFrom(...oddParts);
  const text = fc
    .array(fc.oneof({ weight: 60, arbitrary: part }, { weight: 1, arbitrary: oddity }), { maxLength: 6 })
    .map((some) => `"${join(some)}"`);
  const name = fc.oneof(
    { weight: 40, arbitrary: fc.constantFrom(...words.names).map((one) => `"${one}"`) },
    { weight: 1, arbitrary: text },
  );
  const space = fc.oneof(
    { weight: 3, arbitrary: fc.constant("") },
    { weight: 1, arbitrary: fc.constant(" ") },
    { weight: 1, arbitrary: fc.constantFrom(...words.spaces) },
  );
  const literal = fc.constantFrom("true", "false", "null", "true", "null", "nul", "True");
  const spaced = (one: fc.Arbitrary<string>) => fc.tuple(space, one, space).map(join);
  const { object } = fc.letrec<{ value: string; object: string; list: string }>((tie) => ({
    value: spaced(
      fc.oneof({ maxDepth: 4 }, text, fc.constantFrom(...words.numbers), literal, tie("object"), tie("list")),
    ),
    object: fc
      .array(fc.tuple(spaced(name), tie("value")), { maxLength: 5 })
      .chain((members) => space.map((gap) => `{${members.map(([a, b]) => `${a}:${b}`).join(",") || gap}}`)),
    list: fc.array(tie("value"), { maxLength: 4 }).chain((some) => space.map((gap) => `[${some.join(",") || gap}]`)),
  }));
  return spaced(object);
}
