/** Values of fields that are added: fixed ones, and texts in which `{name}` stands for another field. */
import type { LogRecord } from "../../../contracts.ts";
import { writeRfc3339 } from "../parsing/rfc3339.ts";
import { FieldPath } from "./field-path.ts";

/** Undefined when there is nothing to add. */
export type ValueOf = (record: LogRecord) => unknown;

type Part = string | ValueOf;

/** What is known of a record beside its fields. */
const ofRecord: Readonly<Record<string, ValueOf>> = {
  "@text": ({ text }) => text,
  "@path": ({ source }) => source.path,
  "@input": ({ source }) => source.input,
  "@offset": ({ offset }) => offset,
  "@severity": ({ severity }) => severity,
  "@time": ({ time }) => (time === undefined ? undefined : writeRfc3339(time)),
};

/** The names that begin with `@`. */
export const recordNames: readonly string[] = Object.keys(ofRecord);

/** A value alone in braces keeps its type, and is not added where there is none; within a text it is empty then. */
export function compileValue(value: string | number | boolean | null): ValueOf {
  if (typeof value !== "string") return () => value;
  const parts = partsOf(value);
  const [only] = parts;
  if (parts.length === 1 && typeof only === "function") return only;
  if (parts.every((part) => typeof part === "string")) {
    const text = parts.join("");
    return () => text;
  }
  return (record) => parts.map((part) => (typeof part === "string" ? part : textOf(part(record)))).join("");
}

/** `{{` and `}}` are the braces themselves. */
function partsOf(text: string): Part[] {
  return [...text.matchAll(/\{\{|\}\}|\{([^{}]+)\}|[^{}]+|[{}]/g)].map(([written, name]) => {
    if (name !== undefined) return valueNamed(name);
    return written === "{{" || written === "}}" ? written[0]! : written;
  });
}

function valueNamed(name: string): ValueOf {
  const known = Object.hasOwn(ofRecord, name) ? ofRecord[name] : undefined;
  if (known !== undefined) return known;
  const path = new FieldPath(name);
  return ({ fields }) => (fields === undefined ? undefined : path.get(fields));
}

function textOf(value: unknown): string {
  if (value === undefined || value === null) return "";
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
