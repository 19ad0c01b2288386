/** The YAML text of a configuration: parsed once, with the place of everything in it. */
import {
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Pair,
  parseDocument,
  type Scalar,
  type Document as YamlDocument,
} from "yaml";
import { type Fault, type Finding, sortFaults } from "./faults.ts";
import type { Path } from "./raw.ts";
import { syntaxOffset, syntaxWords } from "./syntax.ts";

/** Line and column, both from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

/** A pair's two ends, or a list's item; `key` is missing in lists and at the root. */
interface Place {
  readonly key?: unknown;
  readonly value: unknown;
}

export class ConfigDocument {
  readonly file: string;
  /** What is wrong with the text itself. */
  readonly faults: readonly Fault[];
  /** True when the faults leave nothing that could be read further. */
  readonly broken: boolean;
  readonly #yaml: YamlDocument;
  readonly #lines = new LineCounter();

  constructor(file: string, text: string) {
    this.file = file;
    this.#yaml = parseDocument(text, { lineCounter: this.#lines, prettyErrors: false, resolveKnownTags: false });
    const errors = [...this.#yaml.errors, ...this.#yaml.warnings];
    this.broken = errors.some((error) => error.code !== "DUPLICATE_KEY");
    this.faults = firstOfEachLine(
      errors.map((error) => ({ file, ...this.#at(syntaxOffset(error, text)), path: "", ...syntaxWords(error, text) })),
    );
  }

  /** The root, undefined in an empty document. */
  get root(): unknown {
    return this.#yaml.contents ?? undefined;
  }

  /** What an alias stands for; everything else stands for itself. */
  resolve(node: unknown): unknown {
    return isAlias(node) ? node.resolve(this.#yaml) : node;
  }

  /** Where something stands; for what is missing, where its parent stands. */
  position(finding: Pick<Finding, "path" | "atKey">): Position {
    const place = this.#find(finding.path);
    const start = (finding.atKey ? startOf(place.key) : undefined) ?? startOf(place.value) ?? startOf(place.key) ?? 0;
    return this.#at(start);
  }

  /** The scalar at a path, if one stands there. */
  scalarAt(path: Path): Scalar | undefined {
    const { value } = this.#find(path, true);
    return isScalar(value) ? value : undefined;
  }

  #find(path: Path, exactly = false): Place {
    let place: Place = { value: this.resolve(this.root) };
    for (const step of path) {
      const next = this.#member(place.value, step);
      if (next === undefined) return exactly ? { value: undefined } : place;
      place = next;
    }
    return place;
  }

  #member(node: unknown, step: string | number): Place | undefined {
    if (isSeq(node) && typeof step === "number") {
      return step < node.items.length ? { value: this.resolve(node.items[step]) } : undefined;
    }
    if (!isMap(node)) return undefined;
    const pair = node.items.find((item) => keyText(item) === String(step));
    if (pair !== undefined) return { key: pair.key, value: this.resolve(pair.value) };
    return this.#merged(node.items, step);
  }

  #merged(pairs: readonly Pair[], step: string | number): Place | undefined {
    for (const pair of pairs.filter(isMerge)) {
      const source = this.resolve(pair.value);
      for (const one of isSeq(source) ? source.items : [source]) {
        const found = this.#member(this.resolve(one), step);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  #at(offset: number): Position {
    const { line, col } = this.#lines.linePos(offset);
    return { line: Math.max(1, line), column: Math.max(1, col) };
  }
}

function startOf(node: unknown): number | undefined {
  const range = (node as { range?: readonly number[] | null } | null | undefined)?.range;
  // A value that is not there has an empty range; its key is the better place.
  return range && !(isScalar(node) && node.value === null && range[0] === range[1]) ? range[0] : undefined;
}

/** A key as text, or undefined when it is a list, a map or nothing. */
export function keyText(pair: Pair): string | undefined {
  return isScalar(pair.key) && pair.key.value !== null ? String(pair.key.value) : undefined;
}

/** True for `<<:`, which takes over the pairs of other maps. */
export function isMerge(pair: Pair): boolean {
  return isScalar(pair.key) && pair.key.value === "<<" && pair.key.type === "PLAIN";
}

/** One broken line makes the parser stumble on; what it says first is what is wrong. */
function firstOfEachLine(faults: readonly Fault[]): Fault[] {
  const lines = new Map<number, Fault>();
  for (const fault of faults) if (!lines.has(fault.line)) lines.set(fault.line, fault);
  return sortFaults([...lines.values()]).slice(0, 20);
}
