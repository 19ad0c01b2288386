import { describe, expect, test } from "bun:test";
import { FieldPath } from "./field-path.ts";

const sample = () => ({ a: { b: { c: 1 }, "x.y": 2 }, "k8s.pod": "p", list: [{ b: 3 }], none: null });

describe("a field's name", () => {
  test.each([
    ["a.b.c", 1],
    ["a.b", { c: 1 }],
    ["a.x.y", 2],
    ["k8s.pod", "p"],
    ["none", null],
    ["none.a", undefined],
    ["list.b", undefined],
    ["a.c", undefined],
    ["toString", undefined],
    ["__proto__.a", undefined],
    ["a.constructor", undefined],
  ])("%s finds %p", (name, value) => expect(new FieldPath(name).get(sample())).toEqual(value as never));

  test("removes what it finds and nothing else", () => {
    const fields = sample();
    expect(new FieldPath("a.b.c").remove(fields)).toBe(true);
    expect(new FieldPath("a.b.c").remove(fields)).toBe(false);
    expect(fields).toEqual({ ...sample(), a: { b: {}, "x.y": 2 } } as never);
  });

  test("sets what is there, what can be put into something there, and else a field of the whole name", () => {
    const fields: Record<string, unknown> = sample();
    new FieldPath("k8s.pod").set(fields, "q");
    new FieldPath("a.b.d").set(fields, 4);
    new FieldPath("new.one").set(fields, 5);
    expect(fields).toEqual({ ...sample(), "k8s.pod": "q", a: { b: { c: 1, d: 4 }, "x.y": 2 }, "new.one": 5 });
  });

  test("never changes what all objects share", () => {
    const fields: Record<string, unknown> = {};
    new FieldPath("__proto__").set(fields, { polluted: true });
    new FieldPath("__proto__.deep").set({}, 1);
    expect("polluted" in {}).toBe(false);
    expect("deep" in {}).toBe(false);
    expect(JSON.stringify(fields)).toBe('{"__proto__":{"polluted":true}}');
  });
});
