/**
 * The filters a configuration names, bundled, loaded and looked at: everything that can be told about them before any
 * request comes. Each file is bundled once, each version is run once; options are read by the filter's own schema.
 */
import { resolve } from "node:path";
import type * as z from "zod";
import type { Finding } from "../config/faults.ts";
import { type Source, tellKnownKeys, toFindings } from "../config/issues.ts";
import { distinctNames } from "../config/names.ts";
import { memberOf, type Path, textOf } from "../config/raw.ts";
import { unreadable } from "../config/reading.ts";
import type { LoadedFilter } from "../config/schema.ts";
import type { PlacedEntry } from "../config/user-filters.ts";
import type { Blame } from "./blame.ts";
import { type Bundle, type Bundled, type BundleTrouble, bundleFilter } from "./bundle.ts";
import { type SoundFilter, soundFilter } from "./definition.ts";
import { baseName, loadFilterCode } from "./modules.ts";
import { numberOf, pulse } from "./pulse.ts";
import type { WatchedVersion } from "./watchdog-messages.ts";

/** What loading asks of who reads the configuration. */
export interface FilterReading {
  /** The folder relative paths start from. */
  readonly folder: string;
  /** What the document says. */
  readonly source: Source;
  /** Takes the absolute path of each file before it is read, or looked for in vain. */
  readonly files: Set<string>;
  /** Versions that made the thread stand still: they are not run again. */
  readonly blamed: ReadonlyMap<string, Blame>;
  /** Versions to run instead of files that are wrong, by their paths. */
  readonly kept: ReadonlyMap<string, Bundle>;
  /** Called before a version's code runs for the first time. */
  tellVersion(version: WatchedVersion): void;
  /** The filter's options with what references brought in made a number or a boolean where the schema wants one. */
  coerce(options: unknown, issues: readonly z.core.$ZodIssue[], path: Path): unknown;
}

export interface LoadedFilters {
  /** One for each entry, undefined where something is wrong with it. */
  readonly filters: readonly (LoadedFilter | undefined)[];
  readonly findings: readonly Finding[];
}

/** Loads them all. Never rejects for what a user wrote. */
export async function loadFilters(entries: readonly PlacedEntry[], reading: FilterReading): Promise<LoadedFilters> {
  const sources = entries.map(({ entry }) => sourceOf(entry, reading.folder));
  const readable = [...new Set(sources.filter((source) => source !== undefined))];
  const bundled = new Map(
    await Promise.all(readable.map(async (file) => [file, await bundleFilter(file, reading.files)] as const)),
  );
  const versions = new Map(readable.map((file) => [file, versionOf(file, bundled.get(file)!, reading)]));
  const read = entries.map((placed, at) => readEntry(placed, sources[at], versions, reading));
  const names = distinctNames(
    entries.map(({ entry }, at) => ({ given: textOf(entry, "name"), fallback: read[at]!.filter?.name ?? "" })),
  );
  return {
    filters: read.map(({ filter }, at) => filter && { ...filter, name: names[at]! }),
    findings: read.flatMap(({ findings }) => findings),
  };
}

/** The file an entry uses; undefined where the grammar finds it wrong already. */
function sourceOf(entry: unknown, folder: string): string | undefined {
  const use = textOf(entry, "use");
  const file = use === undefined || use === "" ? undefined : resolve(folder, use);
  return file === undefined || unreadable(file) !== undefined ? undefined : file;
}

type Version =
  | { readonly code: string; readonly hash: string; readonly definition: SoundFilter }
  | { readonly code: string; readonly hash: string; readonly blame: Blame }
  | { readonly problem: string; readonly remedy: string };

function versionOf(source: string, { bundle, troubles }: Bundled, reading: FilterReading): Version {
  const version = bundle === undefined ? notCompiled(troubles) : versionOfBundle(source, bundle, reading);
  const kept = reading.kept.get(source);
  return "problem" in version && kept !== undefined ? versionOfBundle(source, kept, reading) : version;
}

function versionOfBundle(source: string, bundle: Bundle, { blamed, tellVersion }: FilterReading): Version {
  const blame = blamed.get(bundle.hash);
  if (blame !== undefined) return { ...bundle, blame };
  const number = numberOf(bundle.hash);
  tellVersion({ number, hash: bundle.hash, name: baseName(source), file: source });
  pulse.enter(number);
  try {
    const definition = soundFilter(loadFilterCode({ source, ...bundle }));
    if ("phase" in definition) return { ...bundle, definition };
    return { problem: `${source} ${definition.problem}`, remedy: definition.remedy };
  } catch (error) {
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    return { problem: `${source} throws while it is loaded: ${reason}`, remedy: "mend the file" };
  } finally {
    pulse.leave();
  }
}

/** Of each file what was found first: one broken line makes the bundler stumble on. */
function notCompiled(troubles: readonly BundleTrouble[]): Version {
  const first = troubles.filter(({ file }, at) => troubles.findIndex((other) => other.file === file) === at);
  const list = first.map(({ file, line, column, message }) => {
    const place = line === 0 ? "" : `:${line}:${column}`;
    return `${file}${place} ${message}`;
  });
  const isImport = first.every(({ message }) => message.startsWith("Could not resolve"));
  const remedy = isImport
    ? "name a file that is there, install the package beside the filter (and start again), or import outrigger, outrigger/zod, node:… or bun:…"
    : "mend the file";
  return { problem: `the filter does not compile: ${list.join(", and ")}`, remedy };
}

interface ReadEntry {
  readonly filter?: LoadedFilter;
  readonly findings: readonly Finding[];
}

function readEntry(
  { path, entry, direction }: PlacedEntry,
  source: string | undefined,
  versions: ReadonlyMap<string, Version>,
  reading: FilterReading,
): ReadEntry {
  const version = source === undefined ? undefined : versions.get(source);
  if (source === undefined || version === undefined) return { findings: [] };
  const used = [...path, "use"];
  if ("problem" in version) return { findings: [{ path: used, ...version }] };
  const { code, hash } = version;
  const options = memberOf(entry, "config") ?? {};
  const common = { source, code, hash, number: numberOf(hash), options, name: baseName(source) };
  if ("blame" in version) {
    const doc = `made the thread stand still on ${new Date(version.blame.atMs).toISOString()}; mend the file`;
    return {
      filter: { ...common, phase: "shape", directions: ["inbound", "outbound"], doc, isBlamed: true },
      findings: [],
    };
  }
  const { definition } = version;
  if (direction !== undefined && !definition.directions.includes(direction)) {
    const remedy = `write it under ${definition.directions.join(" or ")}`;
    return { findings: [{ path: used, problem: `this filter does not work ${direction}`, remedy }] };
  }
  const parsed = readOptions(definition, options, [...path, "config"], reading);
  if ("findings" in parsed) return parsed;
  const { phase, directions, name = common.name } = definition;
  const filter = { ...common, name, phase, directions, options: parsed.options, doc: docOf(definition, parsed.value) };
  const { events, metrics } = definition;
  const declares = { ...(events && { events }), ...(metrics && { metrics }) };
  return { filter: { ...filter, ...declares, isBlamed: false }, findings: [] };
}

/** The options as they go to every thread, and as the filter's schema made them. */
function readOptions(
  { config }: SoundFilter,
  given: unknown,
  path: Path,
  reading: FilterReading,
): { options: unknown; value: unknown } | { findings: Finding[] } {
  try {
    const parse = (options: unknown) => config.safeParse(options, { error: tellKnownKeys, jitless: true });
    let options = given;
    let result = parse(options);
    if (!result.success) {
      options = reading.coerce(given, result.error.issues, path);
      if (options !== given) result = parse(options);
    }
    if (result.success) return { options, value: result.data };
    return { findings: toFindings(result.error.issues, sourceAt(reading.source, options, path), path) };
  } catch (error) {
    const problem = `the filter's schema throws: ${error instanceof Error ? error.message : error}`;
    return { findings: [{ path, problem, remedy: "mend the schema; it must not be asynchronous" }] };
  }
}

/** What is written at the path, where the options that were read stand in place of what may be missing there. */
function sourceAt(source: Source, options: unknown, under: Path): Source {
  return {
    value: (path) => path.slice(under.length).reduce<unknown>(memberOf, options),
    written: source.written,
  };
}

function docOf(definition: SoundFilter, options: unknown): string {
  try {
    return (definition.explain?.(options) ?? definition.doc ?? "").trim();
  } catch {
    return definition.doc ?? "";
  }
}
