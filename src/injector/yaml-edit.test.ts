import { describe, expect, test } from "bun:test";
import type { JsonPatchOperation } from "./patch.ts";
import { CannotEdit, editYaml } from "./yaml-edit.ts";

const add = (path: string, value: unknown): JsonPatchOperation => ({ op: "add", path, value });
const remove = (path: string): JsonPatchOperation => ({ op: "remove", path });

const cases: [name: string, text: string, operations: JsonPatchOperation[], edited: string][] = [
  [
    "a key behind the last, before the next comment",
    "a:\n  b: 1 # one\n# about c\nc: 2\n",
    [add("/a/x", 3)],
    "a:\n  b: 1 # one\n  x: 3\n# about c\nc: 2\n",
  ],
  [
    "a key behind a block of text",
    "a:\n  b: |\n    text\n\nc: 2\n",
    [add("/a/x", 3)],
    "a:\n  b: |\n    text\n  x: 3\n\nc: 2\n",
  ],
  [
    "the first item, above the comment of the one that was first",
    "l: # items\n  # one\n  - 1\n",
    [add("/l/0", 0)],
    "l: # items\n  - 0\n  # one\n  - 1\n",
  ],
  ["an item in the middle", "l:\n- 1 # a\n- 3\n", [add("/l/1", 2)], "l:\n- 1 # a\n- 2\n- 3\n"],
  ["an item of a list in brackets", "l: [1, 3]\n", [add("/l/1", 2), add("/l/3", 4)], "l: [1, 2, 3, 4]\n"],
  ["into an empty list", "a:\n  l: []   # none\nb: 1\n", [add("/a/l/0", "x")], "a:\n  l:   # none\n    - x\nb: 1\n"],
  ["a list that is made and filled", "a: 1\n", [add("/l", []), add("/l/0", { name: "x" })], "a: 1\nl:\n  - name: x\n"],
  [
    "instead of nothing",
    "a:\n  l:  # later\n  b: 1\n",
    [add("/a/l", []), add("/a/l/0", 1)],
    "a:\n  l:  # later\n    - 1\n  b: 1\n",
  ],
  ["within a map in brackets", "m: { a: 1 }\n", [add("/m/b", { c: [] })], 'm: { a: 1, "b": {"c":[]} }\n'],
  [
    "a text that YAML 1.1 or 1.2 takes for something else",
    "a: 1\n",
    [add("/m", { a: "yes", b: "0o17", c: "12:30:45", d: "1" })],
    'a: 1\nm:\n  a: "yes"\n  b: "0o17"\n  c: "12:30:45"\n  d: "1"\n',
  ],
  [
    "a value, in its quotes",
    "a: \"1\" # one\nb: '2'\nc: x\n",
    [
      { op: "replace", path: "/a", value: "7" },
      { op: "replace", path: "/c", value: "z" },
    ],
    "a: \"7\" # one\nb: '2'\nc: z\n",
  ],
  ["lines that end as they do on Windows", "a:\r\n  b: 1\r\n", [add("/a/c", 2)], "a:\r\n  b: 1\r\n  c: 2\r\n"],
  ["no line end at the end", "a:\n  b: 1", [add("/a/c", 2)], "a:\n  b: 1\n  c: 2"],
  ["an item taken out", "l:\n  - a\n  # b\n  - b\n  - c\n", [remove("/l/1")], "l:\n  - a\n  # b\n  - c\n"],
  ["the only item taken out", "l:\n  - a\nb: 1\n", [remove("/l/0")], "l: []\nb: 1\n"],
  ["the only key taken out", "m:\n  a: 1\nb: 1\n", [remove("/m/a"), remove("/m")], "b: 1\n"],
  ["the first of several in brackets taken out", "m: { a: 1, b: 2 }\n", [remove("/m/a")], "m: { b: 2 }\n"],
  [
    "JSON over several lines",
    '{\n  "a": [\n    1\n  ]\n}\n',
    [add("/b", { c: 1 })],
    '{\n  "a": [\n    1\n  ],\n  "b": {\n    "c": 1\n  }\n}\n',
  ],
  ["a key with a slash", "m:\n  a/b: 1\n", [{ op: "replace", path: "/m/a~1b", value: 2 }], "m:\n  a/b: 2\n"],
];

describe("an edit changes what it is about, and nothing else:", () => {
  for (const [name, text, operations, edited] of cases)
    test(name, () => expect(editYaml(text, operations)).toBe(edited));
});

test("what stands elsewhere by its anchor is not edited through an alias", () => {
  expect(() => editYaml("a: &x { b: 1 }\nc: *x\n", [add("/c/d", 2)])).toThrow(CannotEdit);
});
