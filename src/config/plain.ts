/** Makes plain values of a YAML tree: aliases and merges followed, scalars read by whoever knows about references. */
import { isAlias, isMap, isScalar, isSeq, type Pair, type Scalar } from "yaml";
import { type ConfigDocument, isMerge, keyText } from "./document.ts";
import type { Finding } from "./faults.ts";
import type { Path } from "./raw.ts";

/** Reads a scalar into its value. */
export type ReadScalar = (scalar: Scalar, path: Path) => unknown;

/** Aliases can make a small text a huge value. */
const mostValues = 100_000;

/** The document's value; what cannot be part of one is a finding and left out. */
export function toPlain(document: ConfigDocument, read: ReadScalar): { value: unknown; findings: Finding[] } {
  const walk = new Walk(document, read);
  return { value: walk.value(document.root, []), findings: walk.findings };
}

class Walk {
  readonly findings: Finding[] = [];
  readonly #document: ConfigDocument;
  readonly #read: ReadScalar;
  readonly #open = new Set<unknown>();
  #values = 0;

  constructor(document: ConfigDocument, read: ReadScalar) {
    this.#document = document;
    this.#read = read;
  }

  value(node: unknown, path: Path): unknown {
    if (++this.#values > mostValues) return this.#tooMany();
    const target = this.#document.resolve(node);
    if (isScalar(target)) return this.#read(target, path);
    if (isAlias(node) && target === undefined)
      return this.#wrong(
        path,
        `there is no anchor &${node.source}`,
        `put &${node.source} before the value that is meant, above this line`,
      );
    if (this.#open.has(target))
      return this.#wrong(path, "the alias stands inside of what it stands for", "write the value out");
    this.#open.add(target);
    const value = isSeq(target)
      ? target.items.map((item, at) => this.value(item, [...path, at]))
      : this.#map(target, path);
    this.#open.delete(target);
    return value;
  }

  #map(node: unknown, path: Path): unknown {
    if (!isMap(node)) return null;
    const entries = new Map<string, unknown>();
    for (const pair of node.items) if (!isMerge(pair)) this.#pair(pair, path, entries);
    for (const pair of node.items) if (isMerge(pair)) this.#merge(pair, path, entries);
    return Object.fromEntries(entries);
  }

  #pair(pair: Pair, path: Path, entries: Map<string, unknown>): void {
    const key = keyText(pair);
    if (key === undefined)
      this.#wrong(
        path,
        "a key here is a list, a map or nothing",
        "write a text as the key, and put what begins with a brace in quotes",
      );
    else entries.set(key, this.value(pair.value, [...path, key]));
  }

  #merge(pair: Pair, path: Path, entries: Map<string, unknown>): void {
    const source = this.#document.resolve(pair.value);
    for (const one of isSeq(source) ? source.items : [source]) {
      const map = this.#document.resolve(one);
      if (!isMap(map) || this.#open.has(map))
        this.#wrong(
          [...path, "<<"],
          "only a map can be taken over",
          "write <<: *anchor, the anchor standing before a map",
        );
      else
        for (const [key, value] of Object.entries(this.value(map, path) as object))
          if (!entries.has(key)) entries.set(key, value);
    }
  }

  #tooMany(): undefined {
    if (this.#values === mostValues + 1)
      this.#wrong([], "the aliases make this document huge", "use fewer aliases of aliases");
    return undefined;
  }

  #wrong(path: Path, problem: string, remedy: string): undefined {
    this.findings.push({ path, problem, remedy });
    return undefined;
  }
}
