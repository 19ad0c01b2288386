import { expect, test } from "bun:test";
import { pointer, pointerSteps, WorkingModel } from "./patch.ts";

test("a pointer escapes ~ before /, and is read back", () => {
  expect(pointer(["metadata", "annotations", "a/b~c", 0])).toBe("/metadata/annotations/a~1b~0c/0");
  for (const key of ["~1", "~0", "/", "~", "~01", "", "a/~b"])
    expect(pointerSteps(pointer(["x", key]))).toEqual(["x", key]);
  expect(pointerSteps("")).toEqual([]);
});

test("later operations see earlier ones", () => {
  const model = new WorkingModel({ spec: {} });
  model.add(["spec", "volumes"], []);
  model.append(["spec", "volumes"], { name: "b" });
  model.add(["spec", "volumes", 0], { name: "a" });
  model.append(["spec", "volumes"], { name: "c" });
  expect(model.root).toEqual({ spec: { volumes: [{ name: "a" }, { name: "b" }, { name: "c" }] } });
  expect(model.operations.map(({ path }) => path)).toEqual([
    "/spec/volumes",
    "/spec/volumes/0",
    "/spec/volumes/0",
    "/spec/volumes/2",
  ]);
});

test("an operation keeps its value as it was when it was made", () => {
  const model = new WorkingModel({});
  const list: unknown[] = [];
  model.add(["list"], list);
  model.append(["list"], 1);
  list.push(2);
  expect(model.operations[0]).toEqual({ op: "add", path: "/list", value: [] });
  expect(model.root).toEqual({ list: [1] });
});

test("what stands in two places is changed in one", () => {
  const shared: unknown[] = [];
  const model = new WorkingModel({ a: shared, b: shared });
  model.append(["a"], 1);
  expect(model.root).toEqual({ a: [1], b: [] });
});

test("what is not there is neither replaced nor removed", () => {
  const model = new WorkingModel({ list: [1] });
  expect(() => model.replace(["absent"], 1)).toThrow(RangeError);
  expect(() => model.remove(["absent"])).toThrow(RangeError);
  expect(() => model.remove(["list", 1])).toThrow(RangeError);
  expect(() => model.add(["list", 2], 1)).toThrow(RangeError);
  expect(() => model.add(["no", "parent"], 1)).toThrow(RangeError);
});

test("a key __proto__ is a member like others", () => {
  const model = new WorkingModel(JSON.parse('{ "labels": { "__proto__": "kept" } }'));
  model.add(["labels", "__proto__"], "new");
  expect(JSON.stringify(model.root)).toBe('{"labels":{"__proto__":"new"}}');
});
