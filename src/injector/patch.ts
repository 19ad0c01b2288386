/**
 * JSON Patch (RFC 6902): the operations, the one place where JSON pointers (RFC 6901) are written, and the model of a
 * document on which each operation is carried out as it is made, so that later ones see earlier ones.
 */
import { isMap } from "../config/raw.ts";

/** A step into a map, or into a list by its place. */
export type Step = string | number;

/** One operation; `path` is a JSON pointer. */
export type JsonPatchOperation =
  | { readonly op: "add" | "replace" | "test"; readonly path: string; readonly value: unknown }
  | { readonly op: "remove"; readonly path: string };

/** The JSON pointer of a place: `~` is written `~0` and `/` is `~1`, in this order. The root is the empty text. */
export function pointer(path: readonly Step[]): string {
  return path.map((step) => `/${String(step).replace(/~/g, "~0").replace(/\//g, "~1")}`).join("");
}

/** The steps of a JSON pointer; places in lists stay texts. */
export function pointerSteps(text: string): string[] {
  if (text === "") return [];
  return text
    .slice(1)
    .split("/")
    .map((step) => step.replace(/~1/g, "/").replace(/~0/g, "~"));
}

/**
 * A copy of a document that is edited by JSON Patch operations, and the operations that were made.
 * Asking for what cannot be done (a place that does not exist) is a fault of ours: a RangeError.
 */
export class WorkingModel {
  #root: unknown;
  readonly operations: JsonPatchOperation[] = [];

  constructor(root: unknown) {
    this.#root = copy(root);
  }

  /** The document as it stands now; not to be changed by others. */
  get root(): unknown {
    return this.#root;
  }

  /** What stands at a place; undefined when nothing does. */
  get(path: readonly Step[]): unknown {
    return path.reduce<unknown>(child, this.#root);
  }

  /** Puts a value there: before what stands at that place of a list, or instead of what stands under that key. */
  add(path: readonly Step[], value: unknown): void {
    this.#record({ op: "add", path: pointer(path), value: copy(value) });
  }

  /** Puts a value behind the last one of a list. */
  append(list: readonly Step[], value: unknown): void {
    this.add([...list, this.list(list).length], value);
  }

  replace(path: readonly Step[], value: unknown): void {
    this.#record({ op: "replace", path: pointer(path), value: copy(value) });
  }

  remove(path: readonly Step[]): void {
    this.#record({ op: "remove", path: pointer(path) });
  }

  /** Makes the whole patch fail where the value is another by then: what a place in a list is told by. */
  test(path: readonly Step[], value: unknown): void {
    this.operations.push({ op: "test", path: pointer(path), value: copy(value) });
  }

  /** The list at a place; empty when there is none. */
  list(path: readonly Step[]): readonly unknown[] {
    const list = this.get(path);
    return Array.isArray(list) ? list : [];
  }

  /** Carries out an operation that was made for this document; `test` is taken to hold. */
  apply(operation: JsonPatchOperation): void {
    if (operation.op === "test") this.operations.push(operation);
    else this.#record(operation);
  }

  #record(operation: JsonPatchOperation): void {
    this.#root = applied(this.#root, operation);
    this.operations.push(operation);
  }
}

/** The document after one operation, which must not be `test`; the parts that change are changed in place. */
function applied(root: unknown, operation: JsonPatchOperation): unknown {
  const steps = pointerSteps(operation.path);
  const value = operation.op === "remove" ? undefined : copy(operation.value);
  const last = steps.pop();
  if (last === undefined) return value;
  const parent = steps.reduce<unknown>(child, root);
  if (Array.isArray(parent)) changeList(parent, Number(last), operation, value);
  else if (isMap(parent)) changeMap(parent, last, operation, value);
  else throw new RangeError(`${operation.path} has no parent`);
  return root;
}

function changeList(list: unknown[], at: number, { op, path }: JsonPatchOperation, value: unknown): void {
  const last = op === "add" ? list.length : list.length - 1;
  if (!Number.isInteger(at) || at < 0 || at > last) throw new RangeError(`${path} is no place of the list`);
  if (op === "add") list.splice(at, 0, value);
  else if (op === "remove") list.splice(at, 1);
  else list[at] = value;
}

function changeMap(map: Record<string, unknown>, key: string, { op, path }: JsonPatchOperation, value: unknown): void {
  if (op !== "add" && !Object.hasOwn(map, key)) throw new RangeError(`${path} does not exist`);
  if (op === "remove") delete map[key];
  else setMember(map, key, value);
}

/** A copy in which nothing is shared: what stands in two places, by an alias of YAML, is changed in one alone. */
function copy(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(copy);
  if (!isMap(value)) return value;
  const map: Record<string, unknown> = {};
  for (const [key, member] of Object.entries(value)) setMember(map, key, copy(member));
  return map;
}

/** A key such as __proto__ is a member like others. */
function setMember(map: Record<string, unknown>, key: string, value: unknown): void {
  if (key === "__proto__")
    Object.defineProperty(map, key, { value, writable: true, enumerable: true, configurable: true });
  else map[key] = value;
}

function child(value: unknown, step: Step): unknown {
  if (Array.isArray(value)) return value[Number(step)];
  return isMap(value) && Object.hasOwn(value, String(step)) ? value[String(step)] : undefined;
}
