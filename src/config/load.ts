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
import { toPlain } from "./plain.ts";
import { formatPath, isMap, memberOf, type Path } from "./raw.ts";
import { fileTrouble, withSurroundings } from "./reading.ts";
import { type Environment, References } from "./references.ts";
import type { Config } from "./schema.ts";
import { lookForState } from "./state.ts";

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

/** One document on its way to a configuration. */
class Loading {
  readonly #document: ConfigDocument;
  readonly #text: string;
  readonly #registry: Registry;
  readonly #references: References;
  readonly #env: Environment | undefined;
  readonly #folder: string;
  readonly #files = new Set<string>();

  constructor(document: ConfigDocument, text: string, options: LoadOptions, registry: Registry) {
    this.#document = document;
    this.#text = text;
    this.#registry = registry;
    this.#env = options.keepReferences === true ? undefined : options.env;
    this.#folder = dirname(resolve(document.file));
    this.#references = new References(this.#env, this.#folder);
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
    const later = [...findings, ...certificates, ...(await acrossFindings(raw, this.#registry))];
    const untold = later.filter(({ path }) => !told.has(formatPath(path)));
    return this.#finish(parsed, [...early, ...misplaced, ...untold], dropIns);
  }

  #finish(parsed: Parsed | undefined, findings: readonly Finding[], dropIns: DropIns): Inspection {
    const certain = findings.filter((finding) => this.#isCertain(finding));
    if (certain.length > 0 || this.#document.faults.length > 0) return this.#faulty(certain);
    if (parsed === undefined || findings.length > 0)
      return { ok: "unresolved", paths: findings.map(({ path }) => formatPath(path)) };
    const config = toConfig(parsed, resolve(this.#document.file), dropIns);
    const state = this.#env === undefined ? undefined : lookForState(config, this.#env);
    if (state !== undefined && "problem" in state) return this.#faulty([state]);
    const files = [...new Set([...this.#references.files, ...this.#files])];
    return { ok: true, config, text: this.#text, files, dropIns };
  }

  #parse(raw: unknown, dropIns: DropIns): { parsed: Parsed | undefined; findings: readonly Finding[] } {
    const schema = documentSchema(dropIns, (section) => memberOf(raw, section) !== undefined);
    const surroundings = { folder: this.#folder, files: this.#files, looksAtFiles: this.#env !== undefined };
    // Compiling the schemas costs more than it saves: a document is read once.
    const parse = (value: unknown) =>
      withSurroundings(surroundings, () => schema.safeParse(value, { error: tellKnownKeys, jitless: true }));
    let document = raw;
    let result = parse(document);
    if (!result.success) {
      document = this.#coerce(document, result.error.issues);
      if (document !== raw) result = parse(document);
    }
    if (result.success) return { parsed: result.data, findings: [] };
    return { parsed: undefined, findings: toFindings(result.error.issues, this.#source(document)) };
  }

  #source(document: unknown): Source {
    return {
      value: (path) => path.reduce<unknown>(memberOf, document),
      written: (path) => this.#references.written(this.#document.scalarAt(path)),
    };
  }

  /** What a reference brought in is text; where a number, true or false is wanted and the text is exactly one, it is that. */
  #coerce(raw: unknown, issues: Parameters<typeof wantedScalars>[0]): unknown {
    let document = raw;
    for (const { path, wants } of wantedScalars(issues)) {
      const text = path.reduce<unknown>(memberOf, document);
      if (typeof text !== "string" || this.#source(document).written(path) === undefined) continue;
      const value = asWanted(text, wants);
      if (value !== undefined) document = replaced(document, path, value);
    }
    return document === raw ? raw : normalize(document, this.#registry);
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
