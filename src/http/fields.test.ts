import { describe, expect, test } from "bun:test";
import { checkField, HeadFields } from "./fields.ts";
import { type RequestHead, readRequestHead } from "./request-head.ts";

const lines = "Host: a\r\nX:  1 \r\nConnection: drop\r\nx: 2\r\nDrop: me\r\nEmpty:\r\nB: \xa0\xe9\xa0\r\n";

function fieldsOf(text = lines): HeadFields {
  const head = readRequestHead(Buffer.from(`GET / HTTP/1.1\r\n${text}\r\n`, "latin1"), {
    headBytes: 65_536,
    headFields: 200,
  });
  return new HeadFields(head as RequestHead);
}

describe("before any edit", () => {
  test("fields are found by name, whatever its case, joined where there are several", () => {
    const fields = fieldsOf();
    expect(["x", "X", "host", "empty", "b", "nothing", "hos"].map((name) => fields.header(name))).toEqual([
      "1, 2",
      "1, 2",
      "a",
      "",
      "\xa0\xe9\xa0",
      undefined,
      undefined,
    ]);
  });

  test("what does not go on is not found", () => {
    const fields = fieldsOf();
    expect([fields.header("connection"), fields.header("drop")]).toEqual([undefined, undefined]);
    expect(fields.headers().map(([name]) => name)).toEqual(["Host", "X", "x", "Empty", "B"]);
  });

  test("the text goes on as it came", () => {
    expect(fieldsOf().fieldText()).toBe("Host: a\r\nX:  1 \r\nx: 2\r\nEmpty:\r\nB: \xa0\xe9\xa0\r\n");
  });

  test("a name that stands in a value, or begins another name, is not found", () => {
    const fields = fieldsOf("Host: a\r\nX: Y: 1\r\nYY: 2\r\n");
    expect(fields.header("y")).toBeUndefined();
  });
});

describe("after an edit", () => {
  test("order, case and duplicates of the others stay", () => {
    const fields = fieldsOf();
    fields.appendHeader("New", "1");
    expect(fields.fieldText()).toBe("Host: a\r\nX:  1 \r\nx: 2\r\nEmpty:\r\nB: \xa0\xe9\xa0\r\nNew: 1\r\n");
    expect(fields.header("x")).toBe("1, 2");
    fields.setHeader("empty", "2");
    expect(fields.fieldText()).toBe("Host: a\r\nX: 1\r\nx: 2\r\nempty: 2\r\nB: \xa0\xe9\xa0\r\nNew: 1\r\n");
  });

  test("added lines are found, joined with those that came, changed and removed", () => {
    const fields = fieldsOf();
    fields.appendHeader("X", "3");
    fields.setHeader("New", "1");
    fields.appendHeader("new", "2");
    expect([fields.rewritten, fields.header("x"), fields.header("new")]).toEqual([false, "1, 2, 3", "1, 2"]);
    expect(fields.headers().slice(-3)).toEqual([
      ["X", "3"],
      ["New", "1"],
      ["new", "2"],
    ]);
    fields.setHeader("NEW", "4");
    fields.removeHeader("x");
    expect([fields.header("x"), fields.header("new")]).toEqual([undefined, "4"]);
    expect(fields.fieldText()).toBe("Host: a\r\nEmpty: \r\nB: \xa0\xe9\xa0\r\nNEW: 4\r\n");
  });

  test("are undone up to where they were, whatever came after", () => {
    for (const first of [[], ["a"], ["a", "host"]])
      for (const then of [[], ["b"], ["x"], ["b", "x"], ["host"]]) {
        const fields = fieldsOf();
        for (const name of first) fields.setHeader(name, "1");
        const wanted = fields.headers();
        const { edits } = fields;
        const count = edits?.length ?? 0;
        for (const name of then) fields.setHeader(name, "2");
        fields.revert(edits, count);
        expect(fields.headers()).toEqual(wanted);
        fields.appendHeader("last", "3");
        expect(fields.headers()).toEqual([...wanted, ["last", "3"]]);
      }
  });

  test("removing what is not there changes nothing", () => {
    const fields = fieldsOf();
    fields.removeHeader("nothing");
    expect(fields.edited).toBe(false);
  });

  test("names are found whatever characters the values before them have", () => {
    const fields = fieldsOf("Host: a\r\nA: \xc0\xde\xdf\xb5\xff\r\nWanted: \xc0\r\n");
    expect(fields.header("wanted")).toBe("\xc0");
  });

  test("set puts one line in the place of all", () => {
    const fields = fieldsOf();
    fields.setHeader("x", "3");
    expect(fields.headers().slice(0, 3)).toEqual([
      ["Host", "a"],
      ["x", "3"],
      ["Empty", ""],
    ]);
  });

  test("the list that was given out is not the one that goes on", () => {
    const fields = fieldsOf();
    fields.setHeader("x", "3");
    fields.headers().push(["late", "1"]);
    expect(fields.header("late")).toBeUndefined();
  });

  test("framing can be dropped by the engine", () => {
    const fields = fieldsOf("Host: a\r\nCONTENT-LENGTH: 5\r\n");
    expect(fields.header("content-length")).toBe("5");
    fields.dropFraming();
    expect(fields.fieldText()).toBe("Host: a\r\n");
  });
});

test("fields without a head begin empty", () => {
  const fields = new HeadFields(undefined);
  expect([fields.header("x"), fields.headers(), fields.fieldText()]).toEqual([undefined, [], ""]);
  fields.setHeader("X", "1");
  expect(fields.fieldText()).toBe("X: 1\r\n");
});

describe("a field that may not stand on the wire", () => {
  test.each([
    ["", "a"],
    ["a b", "a"],
    ["a:", "a"],
    ["a\r", "a"],
    ["é", "a"],
    ["x", "a\r\nb"],
    ["x", "\n"],
    ["x", "\0"],
    ["x", "\x7f"],
    ["x", "漢"],
    ["host", ""],
    ["Host", "a b"],
    ...[
      "content-length",
      "Transfer-Encoding",
      "CONNECTION",
      "keep-alive",
      "proxy-connection",
      "te",
      "trailer",
      "upgrade",
    ].map((name): [string, string] => [name, "1"]),
  ])("%p: %p", (name, value) => {
    expect(() => checkField(name, value)).toThrow(TypeError);
    const fields = fieldsOf();
    expect(() => fields.setHeader(name, value)).toThrow(TypeError);
    expect(() => fields.appendHeader(name, value)).toThrow(TypeError);
    expect(fields.fieldText()).toBe(fieldsOf().fieldText());
  });

  test("and one that may", () => {
    for (const [name, value] of [
      ["x", ""],
      ["X-y", "\xff\t "],
      ["host", "a:80"],
      ["content-type", "a/b"],
    ] as const)
      checkField(name, value);
  });
});
