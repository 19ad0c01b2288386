/**
 * Reading a document of which nothing is known yet: whatever is not of the expected shape is simply not there.
 * What is wrong with it, the schema says.
 */

/** The entries of a map; none when it is not one. */
export function entriesOf(value: unknown): [string, unknown][] {
  return isMap(value) ? Object.entries(value) : [];
}

/** True for a map, and for nothing else that `typeof` calls an object. */
export function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A member of a map, or of a list by its place. */
export function memberOf(value: unknown, key: PropertyKey): unknown {
  if (Array.isArray(value) && typeof key === "number") return value[key];
  return isMap(value) && Object.hasOwn(value, key) ? value[String(key)] : undefined;
}

/** The items of the list that stands under a key; none when there is no list. */
export function itemsOf(value: unknown, key: string): unknown[] {
  const list = memberOf(value, key);
  return Array.isArray(list) ? list : [];
}

/** The text under a key. */
export function textOf(value: unknown, key: string): string | undefined {
  const member = memberOf(value, key);
  return typeof member === "string" ? member : undefined;
}

/** A place in a document: `["inbound", 0, "listen"]`. */
export type Path = readonly (string | number)[];

/** A place as a person writes it: `inbound[0].listen`. */
export function formatPath(path: Path): string {
  return path.map(formatStep).join("").replace(/^\./, "");
}

function formatStep(step: string | number): string {
  if (typeof step === "number") return `[${step}]`;
  return /^[\w-]+$/.test(step) ? `.${step}` : `[${JSON.stringify(step)}]`;
}
