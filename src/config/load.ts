/** Loads a configuration: text in, `Config` or every fault of it out. Never throws for what a user wrote. */
import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { acrossFindings } from "./across.ts";
import { certificateFindings } from "./certificate-findings.ts";
import { ConfigDocument } from "./document.ts";
import { builtInRegistry, type DropIns, directionFindings, loadDropIns, namedIn, type Registry } from "./drop-ins.ts";
import { type Fault, type Finding, fileFault, sortFaults, toFault } from "./faults.ts";
import { documentSchema, type Parsed, toConfig } from "./grammar.ts";
import { type Source, tellKnownKeys, toFindings, wantedScalars } from "./issues.ts";
import { normalize } from "./normalize.ts";
import { ownOutputFindings } from "./own-output.ts";
import { toPlain } from "./plain.ts";
import { formatPath, isMap, memberOf, type Path, textOf } from "./raw.ts";
import { fileTrouble, withSurroundings } from "./reading.ts";
import { type Environment, References } from "./references.ts";
import type { Config, LoadedFilter } from "./schema.ts";
import { shutdownFinding } from "./shutdown.ts";
import { lookForState, stateCandidates } from "./state.ts";
import { type FiltersAt, filterEntries } from "./user-filters.ts";

export type { Registry } from "./drop-ins.ts";
export { type Fault, formatFaults } from "./faults.ts";
export { findConfig } from "./find.ts";
export { lookForState, resolveState } from "./state.ts";

export interface LoadOptions {
  /** Where `${NAME}` is looked up. */
  readonly env: Environment;
  /** The text, when it is not to be read from the file: relative paths still start from the file's folder. */
  readonly text?: string;
  /** The drop-ins there are; those built in by default. */
  readonly registry?: Registry;
  /** True: references stay as they are and no other file is looked at (`check --no-env`). */
  readonly keepReferences?: boolean;
  /** Told of each file, by its absolute path, before it is looked at, whether it is there or not. */
  noteFile?(file: string): void;
  /** True: where a filter's file is wrong, the version kept of it is used. */
  readonly usesKeptFilters?: boolean;
  /** Watches filters while they are loaded; without it nobody does (`check`). */
  readonly watchdog?: FilterWatch;
}

/** What is told of filters before their code runs for the first time. */
export interface FilterWatch {
  /** There are some. `stateFolders` are the places state may be, in order. */
  start(stateFolders: readonly string[]): Promise<void>;
  tellVersion(version: { number: number; hash: string; name: string; file: string }): void;
}

export type LoadResult = Loaded | { readonly ok: false; readonly faults: readonly Fault[] };

export interface Loaded {
  readonly ok: true;
  readonly config: Config;
  /** The text as written, references unresolved. */
  readonly text: string;
  /** Absolute paths of files the configuration refers to; a change of one is a reason to reload. */
  readonly files: readonly string[];
  /** The drop-ins the configuration names. */
  readonly dropIns: DropIns;
}

/** What `inspectConfig` finds; without faults and config, references decide what the rest means. */
export type Inspection = LoadResult | { readonly ok: "unresolved"; readonly paths: readonly string[] };

/** Loads the file, with every reference replaced. */
export async function loadConfig(path: string, options: Omit<LoadOptions, "keepReferences">): Promise<LoadResult> {
  const result = await inspectConfig(path, options);
  if (result.ok === "unresolved") throw new TypeError("references are replaced unless they are to be kept");
  return result;
}

/** Loads the file as far as its references allow. */
export async function inspectConfig(path: string, options: LoadOptions): Promise<Inspection> {
  options.noteFile?.(resolve(path));
  const text = options.text ?? (await readText(path));
  if (typeof text !== "string") return { ok: false, faults: [text] };
  const document = new ConfigDocument(path, text);
  if (document.broken) return { ok: false, faults: document.faults };
  return new Loading(document, text, options, options.registry ?? (await builtInRegistry())).run();
}

async function readText(file: string): Promise<string | Fault> {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(await readFile(file));
  } catch (error) {
    const trouble = error instanceof TypeError ? "is not UTF-8 text" : fileTrouble(error);
    return fileFault(file, `the file ${trouble}`, "name a configuration with -c FILE or in $OUTRIGGER_CONFIG");
  }
}

/** Files that were looked at; whoever watches them is told before. */
class NotedFiles extends Set<string> {
  readonly #note: ((file: string) => void) | undefined;

  constructor(note: ((file: string) => void) | undefined) {
    super();
    this.#note = note;
  }

  override add(file: string): this {
    this.#note?.(file);
    return super.add(file);
  }
}

/** One document on its way to a configuration. */
class Loading {
  readonly #document: ConfigDocument;
  readonly #text: string;
  readonly #registry: Registry;
  readonly #references: References;
  readonly #env: Environment | undefined;
  readonly #watchdog: FilterWatch | undefined;
  readonly #usesKept: boolean;
  readonly #folder: string;
  readonly #files: NotedFiles;

  constructor(document: ConfigDocument, text: string, options: LoadOptions, registry: Registry) {
    this.#document = document;
    this.#text = text;
    this.#registry = registry;
    this.#env = options.keepReferences === true ? undefined : options.env;
    this.#watchdog = options.watchdog;
    this.#usesKept = options.usesKeptFilters === true;
    this.#folder = dirname(resolve(document.file));
    this.#files = new NotedFiles(options.noteFile);
    this.#references = new References(this.#env, this.#folder, this.#files);
  }

  async run(): Promise<Inspection> {
    const plain = toPlain(this.#document, (scalar, path) => this.#references.read(scalar, path));
    const raw = normalize(plain.value, this.#registry);
    const early = [...plain.findings, ...this.#references.findings];
    if (!isMap(raw))
      return this.#faulty([
        ...early,
        { path: [], problem: "the document is not a map", remedy: "write sections such as inbound:" },
      ]);
    const dropIns = await loadDropIns(this.#registry, namedIn(raw));
    const { parsed, findings } = this.#parse(raw, dropIns);
    const misplaced = directionFindings(raw, dropIns);
    // One sentence is enough about what could not be read at all, or stands in the wrong place.
    const told = new Set([...plain.findings, ...misplaced].map(({ path }) => formatPath(path)));
    const certificates = this.#env === undefined ? [] : await certificateFindings(raw, this.#folder);
    const filters = await this.#loadFilters(raw);
    const across = await acrossFindings(raw, this.#registry);
    const later = [...findings, ...certificates, ...filters.findings, ...across];
    const untold = later.filter(({ path }) => !told.has(formatPath(path)));
    return await this.#finish(parsed, [...early, ...misplaced, ...untold], dropIns, filters.at);
  }

  async #finish(
    parsed: Parsed | undefined,
    findings: readonly Finding[],
    dropIns: DropIns,
    filters: FiltersAt,
  ): Promise<Inspection> {
    const certain = findings.filter((finding) => this.#isCertain(finding));
    if (certain.length > 0 || this.#document.faults.length > 0) return this.#faulty(certain);
    if (parsed === undefined || findings.length > 0)
      return { ok: "unresolved", paths: findings.map(({ path }) => formatPath(path)) };
    const config = this.#looking(() => toConfig(parsed, resolve(this.#document.file), dropIns, filters));
    const circles = await ownOutputFindings(config.logs, dropIns, this.#folder);
    if (circles.length > 0) return this.#faulty(circles);
    const state = this.#env === undefined ? undefined : lookForState(config, this.#env);
    if (state !== undefined && "problem" in state) return this.#faulty([state]);
    const pod = shutdownFinding(this.#env ?? {});
    if (pod !== undefined) return this.#faulty([pod]);
    return { ok: true, config, text: this.#text, files: [...this.#files], dropIns };
  }

  /** The filters in TypeScript; what loads them is not even imported for a document that has none. */
  async #loadFilters(raw: unknown): Promise<{ at: FiltersAt; findings: readonly Finding[] }> {
    const entries = filterEntries(raw);
    if (entries.length === 0) return { at: () => undefined, findings: [] };
    if (this.#env === undefined) return { at: (path) => unlookedAt(raw, path), findings: [] };
    const { loadFilters } = await import("../user-filters/loading.ts");
    const [{ readBlame }, { keptVersions }] = await Promise.all([
      import("../user-filters/blame.ts"),
      import("../user-filters/kept.ts"),
    ]);
    const state = textOf(raw, "state");
    const places = stateCandidates({ state: state && resolve(this.#folder, state) }, this.#env);
    const folders = places.map(({ folder }) => folder);
    await this.#watchdog?.start(folders);
    const loaded = await loadFilters(entries, {
      folder: this.#folder,
      source: this.#source(raw),
      files: this.#files,
      blamed: readBlame(folders),
      kept: this.#usesKept ? await keptVersions(folders) : new Map(),
      tellVersion: (version) => this.#watchdog?.tellVersion(version),
      coerce: (options, issues, path) => this.#coerceTexts(options, wantedScalars(issues), path),
    });
    const found = new Map(entries.map(({ path }, at) => [formatPath(path), loaded.filters[at]]));
    return { at: (path) => found.get(formatPath(path)), findings: loaded.findings };
  }

  #parse(raw: unknown, dropIns: DropIns): { parsed: Parsed | undefined; findings: readonly Finding[] } {
    const schema = documentSchema(dropIns, (section) => memberOf(raw, section) !== undefined);
    // Compiling the schemas costs more than it saves: a document is read once.
    const parse = (value: unknown) =>
      this.#looking(() => schema.safeParse(value, { error: tellKnownKeys, jitless: true }));
    let document = raw;
    let result = parse(document);
    if (!result.success) {
      document = this.#coerce(document, result.error.issues);
      if (document !== raw) result = parse(document);
    }
    if (result.success) return { parsed: result.data, findings: [] };
    return { parsed: undefined, findings: toFindings(result.error.issues, this.#source(document)) };
  }

  /** Runs what may look at files and the environment. */
  #looking<T>(run: () => T): T {
    const looksAtFiles = this.#env !== undefined;
    return withSurroundings({ folder: this.#folder, files: this.#files, looksAtFiles, env: this.#env ?? {} }, run);
  }

  #source(document: unknown): Source {
    return {
      value: (path) => path.reduce<unknown>(memberOf, document),
      written: (path) => this.#references.written(this.#document.scalarAt(path)),
    };
  }

  /** What a reference brought in is text; where a number, true or false is wanted and the text is exactly one, it is that. */
  #coerce(raw: unknown, issues: Parameters<typeof wantedScalars>[0]): unknown {
    const document = this.#coerceTexts(raw, wantedScalars(issues), []);
    return document === raw ? raw : normalize(document, this.#registry);
  }

  /** A copy of what stands under a path, with such texts made what is wanted. */
  #coerceTexts(part: unknown, wanted: ReturnType<typeof wantedScalars>, under: Path): unknown {
    let changed = part;
    for (const { path, wants } of wanted) {
      const text = path.reduce<unknown>(memberOf, changed);
      if (typeof text !== "string" || this.#source(part).written([...under, ...path]) === undefined) continue;
      const value = asWanted(text, wants);
      if (value !== undefined) changed = replaced(changed, path, value);
    }
    return changed;
  }

  /** False for what only follows from a reference that has no value here. */
  #isCertain(finding: Finding): boolean {
    if (this.#references.findings.includes(finding)) return true;
    const hasReference = this.#references.written(this.#document.scalarAt(finding.path)) !== undefined;
    if (!hasReference) return true;
    const missing = formatPath(finding.path);
    return this.#env !== undefined && !this.#references.findings.some(({ path }) => formatPath(path) === missing);
  }

  #faulty(findings: readonly Finding[]): Inspection {
    const faults = findings.map((finding) => toFault(finding, this.#document.file, this.#document.position(finding)));
    return { ok: false, faults: sortFaults([...this.#document.faults, ...faults]) };
  }
}

/** A filter where no file is looked at: what the document alone says of it. */
function unlookedAt(raw: unknown, path: Path): LoadedFilter {
  const source = textOf(path.reduce<unknown>(memberOf, raw), "use") ?? "";
  const name = textOf(path.reduce<unknown>(memberOf, raw), "name") ?? source;
  const doc = "its file was not looked at";
  const common = { source, hash: "", number: 0, code: "", options: {}, doc, isBlamed: false };
  return { name, phase: "shape", directions: ["inbound", "outbound"], ...common };
}

function asWanted(text: string, wants: readonly unknown[]): unknown {
  if ((wants.includes("number") || wants.includes("int")) && /^-?\d+(\.\d+)?$/.test(text)) return Number(text);
  if (wants.includes("boolean") && (text === "true" || text === "false")) return text === "true";
  return wants.find((want) => typeof want !== "string" && String(want) === text);
}

/** A copy of the document with another value at the path. */
function replaced(document: unknown, path: Path, value: unknown): unknown {
  const [step, ...rest] = path;
  if (step === undefined) return value;
  const member = replaced(memberOf(document, step), rest, value);
  if (Array.isArray(document)) return document.map((item, at) => (at === step ? member : item));
  return { ...(document as object), [step]: member };
}
