import { describe, expect, test } from "bun:test";
import { parsed, record, TransformRun } from "../../test/kit/transform-run.ts";
import add from "./add.ts";
import remove from "./remove.ts";
import rename from "./rename.ts";

describe("add", () => {
  const added = async (options: unknown, one = parsed('{"a":1,"user":{"id":7,"tags":["x"]}}', { offset: 42 })) =>
    (await TransformRun.make(add, options)).apply(one)?.fields;

  test("sets fixed values, over others of the same name, and within fields that are there", async () => {
    expect(await added({ a: "b", n: 2, on: true, none: null, "user.name": "joe", "x.y": 1 })).toEqual({
      a: "b",
      n: 2,
      on: true,
      none: null,
      user: { id: 7, tags: ["x"], name: "joe" },
      "x.y": 1,
    });
  });

  test("takes values of other fields: alone with their type, in a text as text", async () => {
    expect(await added({ id: "{user.id}", text: "u{user.id}-{missing}-{user.tags}", gone: "{missing}" })).toEqual({
      a: 1,
      user: { id: 7, tags: ["x"] },
      id: 7,
      text: 'u7--["x"]',
    });
  });

  test("takes them as they were before, whatever the order", async () => {
    expect(await added({ a: "{b}", b: "{a}" }, parsed('{"a":1,"b":2}'))).toEqual({ a: 2, b: 1 });
  });

  test("knows the record itself", async () => {
    const one = parsed('{"a":1}', { offset: 42, severity: "warn", time: 1_700_000_000_000_000_001n });
    const names = { path: "{@path}", from: "{@input}:{@offset}", sev: "{@severity}", at: "{@time}", text: "{@text}" };
    expect(await added(names, one)).toEqual({
      a: 1,
      path: "/log/a.log",
      from: "app:42",
      sev: "warn",
      at: "2023-11-14T22:13:20.000000001Z",
      text: '{"a":1}',
    });
    expect(await added({ at: "{@time}" }, record("x", { fields: {}, time: -1n }))).toEqual({
      at: "1969-12-31T23:59:59.999999999Z",
    });
  });

  test("takes doubled braces, and single ones that close nothing, for braces", async () => {
    expect(await added({ a: "{{a}} } {", user: "{}" })).toEqual({ a: "{a} } {", user: "{}" });
  });

  test("gives a record that nothing parsed its text as a field", async () => {
    expect(await added({ app: "shop" }, record("plain"))).toEqual({ message: "plain", app: "shop" });
  });
});

test("rename gives fields other names, and leaves alone what is not there", async () => {
  const run = await TransformRun.make(rename, { lvl: "level", "http.verb": "method", missing: "x", a: "b.c" });
  const made = run.apply(parsed('{"lvl":"info","http":{"verb":"GET","code":1},"a":null,"b":{}}'));
  expect(made?.fields).toEqual({ level: "info", http: { code: 1 }, method: "GET", b: { c: null } });
  expect(run.apply(record("plain"))?.fields).toBeUndefined();
});

test("remove removes fields, and the text stays", async () => {
  const run = await TransformRun.make(remove, ["a", "b.c", "missing"]);
  const made = run.apply(parsed('{"a":1,"b":{"c":2,"d":3}}'));
  expect([made?.fields, made?.text]).toEqual([{ b: { d: 3 } }, '{"a":1,"b":{"c":2,"d":3}}']);
  const one = await TransformRun.make(remove, "a");
  expect(one.apply(parsed('{"a":1}'))?.fields).toEqual({});
});
