/** `filters:` at top level, on a listener or on a route: the options, and what a configuration makes of them. */
import * as z from "zod";
import { duplicateNames } from "./across.ts";
import type { Finding } from "./faults.ts";
import { entriesOf, itemsOf, memberOf, type Path, textOf } from "./raw.ts";
import { duration, filePath, name, option, readableFile } from "./scalars.ts";
import type { LoadedFilter, UserFilter } from "./schema.ts";

/** One entry of `filters:`. */
function entrySchema() {
  return z.strictObject({
    use: option(
      readableFile("./filters/add-tenant.ts"),
      "The TypeScript file, whose default export `defineFilter` made.",
      {
        required: true,
      },
    ),
    name: option(name(), "Stands in metrics and logs; unique over all filters.", {
      default: "the filter's own, else the file's",
    }).optional(),
    config: option(z.unknown(), "The filter's options, as its own schema wants them.").optional(),
    onError: option(
      z.enum(["fail", "skip"]),
      "When it throws or is late: `fail` answers 503, `skip` goes on without it.",
    ).prefault("fail"),
    budget: option(duration(1), "How long one call of an asynchronous hook may take.").prefault("1s"),
  });
}

/** The list. Made once for a whole grammar, as it stands in several places of it. */
export function filterListSchema() {
  const doc = "Filters in TypeScript. Those of the top level come first, then the listener's, then the route's.";
  // A path alone is written out before parsing; here it is for the JSON Schema.
  return option(z.array(z.union([entrySchema(), filePath("./filters/add-tenant.ts")])), doc);
}

export type FilterListSchema = ReturnType<typeof filterListSchema>;

export type FilterEntry = z.output<ReturnType<typeof entrySchema>> | string;

/** The version that was found for the entry at a path. */
export type FiltersAt = (path: Path) => LoadedFilter | undefined;

/** The filters of a list under a path, in its order. */
export function userFilters(entries: readonly FilterEntry[] = [], under: Path, at: FiltersAt): UserFilter[] {
  return entries.flatMap((entry, nth) => {
    const loaded = at([...under, "filters", nth]);
    if (loaded === undefined || typeof entry === "string") return [];
    return [{ ...loaded, onError: entry.onError, budgetMs: entry.budget }];
  });
}

/** An entry as it stands in a document of which nothing is known yet. */
export interface PlacedEntry {
  readonly path: Path;
  readonly entry: unknown;
  /** Of the listener it stands on or below; undefined at top level. */
  readonly direction: "inbound" | "outbound" | undefined;
}

/** Every entry of every list, in the order of a document: global ones, then each listener's and its routes'. */
export function filterEntries(document: unknown): PlacedEntry[] {
  return [
    ...placed(document, [], undefined),
    ...(["inbound", "outbound"] as const).flatMap((direction) =>
      itemsOf(document, direction).flatMap((listener, at) => [
        ...placed(listener, [direction, at], direction),
        ...itemsOf(listener, "routes").flatMap((route, nth) =>
          placed(route, [direction, at, "routes", nth], direction),
        ),
      ]),
    ),
  ];
}

function placed(owner: unknown, under: Path, direction: PlacedEntry["direction"]): PlacedEntry[] {
  return itemsOf(owner, "filters").map((entry, at) => ({ path: [...under, "filters", at], entry, direction }));
}

/** A short form written out: `./x.ts` is `{ use: ./x.ts }`. */
export function writtenOut(item: unknown): unknown {
  return typeof item === "string" ? { use: item } : item;
}

/** True when a document has filters anywhere: only then is what loads them imported. */
export function hasFilters(document: unknown): boolean {
  return filterEntries(document).some(({ entry }) => entriesOf(entry).length > 0);
}

/** Names that stand twice, and one filter twice in one list with the same options. */
export function filterListFindings(document: unknown): Finding[] {
  const entries = filterEntries(document);
  const names = entries.map(({ entry, path }) => ({ name: textOf(entry, "name"), path: [...path, "name"] }));
  return [...duplicateNames(names, "filter"), ...entries.flatMap(({ path }, at) => twice(entries, path, at))];
}

function twice(entries: readonly PlacedEntry[], path: Path, at: number): Finding[] {
  const list = JSON.stringify(path.slice(0, -1));
  const same = (one: PlacedEntry) =>
    JSON.stringify(one.path.slice(0, -1)) === list && whatItDoes(one.entry) === whatItDoes(entries[at]!.entry);
  if (textOf(entries[at]!.entry, "use") === undefined || !entries.slice(0, at).some(same)) return [];
  return [{ path, problem: "this filter stands here twice with the same options", remedy: "remove one of them" }];
}

function whatItDoes(entry: unknown): string {
  return JSON.stringify([memberOf(entry, "use"), memberOf(entry, "config") ?? {}]);
}
