/**
 * The drop-ins a document names, loaded; all others only by name, so that an unused one costs nothing.
 * A drop-in's key in the configuration is its file name in camel case.
 */
import type { ZodType } from "zod";
import type { Direction, EventDeclaration, MetricDeclaration, Phase } from "../contracts.ts";
import type { Finding } from "./faults.ts";
import { entriesOf, itemsOf, type Path } from "./raw.ts";

/** What the configuration needs to know of a drop-in; every kind of definition has it. */
export interface LoadedDropIn {
  readonly name: string;
  readonly doc: string;
  readonly config: ZodType;
  readonly events?: Readonly<Record<string, EventDeclaration>>;
  readonly metrics?: Readonly<Record<string, MetricDeclaration>>;
  /** Says in a sentence what these options do; the drop-in's `doc` is used where it is missing. */
  explain?(options: unknown): string;
}

/** What it needs to know of a log input and of a log output: files that one reads and the other writes. */
export interface LoadedLogInput extends LoadedDropIn {
  reads?(options: unknown, folder: string, path: string): boolean | Promise<boolean>;
}
export interface LoadedLogOutput extends LoadedDropIn {
  writes?(options: unknown, folder: string): readonly string[] | Promise<readonly string[]>;
}

/** What it needs to know of a filter. */
export interface LoadedFilter extends LoadedDropIn {
  readonly phase: Phase;
  readonly order: number;
  readonly directions: readonly Direction[];
}

type Listed<T> = Readonly<Record<string, () => Promise<{ default: T }>>>;

/** The drop-ins there are: `registry.gen.ts`, or a test's own. */
export interface Registry {
  readonly filters: Listed<LoadedFilter>;
  readonly logInputs: Listed<LoadedLogInput>;
  readonly logTransforms: Listed<LoadedDropIn>;
  readonly logOutputs: Listed<LoadedLogOutput>;
}

/** By key in the configuration; undefined where the drop-in is known but not loaded. */
export interface DropIns {
  readonly filters: ReadonlyMap<string, LoadedFilter | undefined>;
  readonly logInputs: ReadonlyMap<string, LoadedLogInput | undefined>;
  readonly logTransforms: ReadonlyMap<string, LoadedDropIn | undefined>;
  readonly logOutputs: ReadonlyMap<string, LoadedLogOutput | undefined>;
}

/** `log-access` as it is written in a configuration: `logAccess`. */
export function keyOf(fileName: string): string {
  return fileName.replace(/-([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

/** Which keys a document names, per kind of drop-in. */
interface Named {
  readonly filters: ReadonlySet<string>;
  readonly logInputs: ReadonlySet<string>;
  readonly logTransforms: ReadonlySet<string>;
  readonly logOutputs: ReadonlySet<string>;
}

/** All keys that stand where a drop-in could; those of other options among them do no harm. */
export function namedIn(document: unknown): Named {
  const listeners = ["inbound", "outbound"].flatMap((section) => itemsOf(document, section));
  const logs = itemsOf(document, "logs");
  const outputs = logs.flatMap((entry) => itemsOf(entry, "to"));
  const routes = listeners.flatMap((listener) => itemsOf(listener, "routes"));
  return {
    filters: new Set([...listeners, ...routes].flatMap(keys)),
    logInputs: new Set(logs.flatMap(keys)),
    logTransforms: new Set(logs.flatMap((entry) => itemsOf(entry, "transform")).flatMap(keys)),
    logOutputs: new Set(outputs.flatMap(keys)),
  };
}

function keys(value: unknown): string[] {
  return entriesOf(value).map(([key]) => key);
}

/** Loads what is named; everything when `named` is left out. */
export async function loadDropIns(registry: Registry, named?: Named): Promise<DropIns> {
  const [filters, logInputs, logTransforms, logOutputs] = await Promise.all([
    loadListed(registry.filters, named?.filters),
    loadListed(registry.logInputs, named?.logInputs),
    loadListed(registry.logTransforms, named?.logTransforms),
    loadListed(registry.logOutputs, named?.logOutputs),
  ]);
  return { filters, logInputs, logTransforms, logOutputs };
}

async function loadListed<T>(
  listed: Listed<T>,
  named: ReadonlySet<string> | undefined,
): Promise<Map<string, T | undefined>> {
  const load = async ([fileName, read]: [string, () => Promise<{ default: T }>]): Promise<[string, T | undefined]> => {
    const key = keyOf(fileName);
    return [key, named?.has(key) === false ? undefined : (await read()).default];
  };
  return new Map(await Promise.all(Object.entries(listed).map(load)));
}

/** The drop-ins this program was built with. */
export async function builtInRegistry(): Promise<Registry> {
  return import("../registry.gen.ts");
}

/** Filters that stand where they do not work: on a listener of the other direction. */
export function directionFindings(document: unknown, dropIns: DropIns): Finding[] {
  return (["inbound", "outbound"] as const).flatMap((direction) =>
    itemsOf(document, direction).flatMap((listener, at) => {
      const routes = itemsOf(listener, "routes").map((route, nth) => ({
        value: route,
        path: [direction, at, "routes", nth],
      }));
      return [{ value: listener, path: [direction, at] }, ...routes].flatMap(({ value, path }) =>
        keys(value).flatMap((key) => wrongDirection(dropIns.filters.get(key), direction, [...path, key])),
      );
    }),
  );
}

function wrongDirection(filter: LoadedFilter | undefined, direction: Direction, path: Path): Finding[] {
  if (filter === undefined || filter.directions.includes(direction)) return [];
  return [
    {
      path,
      atKey: true,
      problem: `${keyOf(filter.name)} does not work ${direction}`,
      remedy: `write it under ${filter.directions.join(" or ")}`,
    },
  ];
}
