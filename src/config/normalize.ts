/** Writes short forms out in full, so that one schema reads them: `logAccess: true` is `logAccess: {}`, `stdout` is `{ stdout: {} }`. */
import { keyOf, type Registry } from "./drop-ins.ts";
import { isMap } from "./raw.ts";
import { writtenOut } from "./user-filters.ts";

/** The document with its short forms written out; empty sections are left out. */
export function normalize(document: unknown, registry: Registry): unknown {
  if (document === undefined || document === null) return {};
  if (!isMap(document)) return document;
  const filters = new Set(Object.keys(registry.filters).map(keyOf));
  const write = new Map<string, (item: unknown) => unknown>([
    ["inbound", (item) => listener(item, filters)],
    ["outbound", (item) => listener(item, filters)],
    ["logs", pipeline],
    ["filters", writtenOut],
  ]);
  const entries = Object.entries(document).filter(([, value]) => value !== null);
  return Object.fromEntries(entries.map(([key, value]) => [key, each(value, write.get(key))]));
}

function each(value: unknown, write: ((item: unknown) => unknown) | undefined): unknown {
  return write !== undefined && Array.isArray(value) ? value.map(write) : value;
}

function policies(item: unknown, filters: ReadonlySet<string>): unknown {
  if (!isMap(item)) return item;
  const write = (key: string, value: unknown) => (value === true && filters.has(key) ? {} : value);
  return Object.fromEntries(
    Object.entries(item).map(([key, value]) => [key, key === "filters" ? each(value, writtenOut) : write(key, value)]),
  );
}

function listener(item: unknown, filters: ReadonlySet<string>): unknown {
  const full = policies(item, filters);
  return isMap(full) && Array.isArray(full.routes)
    ? { ...full, routes: full.routes.map((route) => policies(route, filters)) }
    : full;
}

function pipeline(item: unknown): unknown {
  if (!isMap(item)) return item;
  const { to = ["stdout"], transform } = item;
  return {
    ...item,
    ...(transform === undefined ? {} : { transform: each(transform, namedDropIn) }),
    to: each(to, namedDropIn),
  };
}

function namedDropIn(item: unknown): unknown {
  return typeof item === "string" ? { [item]: {} } : item;
}
