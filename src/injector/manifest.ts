/** Files of manifests: documents, the objects in them, and edits that touch only what they are about. */
import { LineCounter, type YAMLError } from "yaml";
import { isMap, itemsOf, textOf } from "../config/raw.ts";
import { syntaxOffset, syntaxWords } from "../config/syntax.ts";
import { type JsonPatchOperation, pointer, type Step, WorkingModel } from "./patch.ts";
import { dig } from "./pod.ts";
import { CannotEdit, editYaml } from "./yaml-edit.ts";
import { parseManifest } from "./yaml-text.ts";

/** An object of Kubernetes, and where it stands. */
export interface ManifestObject {
  readonly document: ManifestDocument;
  /** Below the document's root: a list of kind List holds objects. */
  readonly path: readonly Step[];
  readonly kind: string;
  readonly name: string;
  readonly namespace: string | undefined;
  readonly value: unknown;
}

/** One document of a file; `---` begins it, except perhaps the first. */
export class ManifestDocument {
  readonly file: string;
  /** The line in the file at which it begins, from 1. */
  readonly line: number;
  readonly text: string;
  /** What is wrong with its text, as `file:line:column: …`. */
  readonly faults: readonly string[];
  readonly #model: WorkingModel;
  readonly #operations: JsonPatchOperation[] = [];
  isRemoved = false;

  constructor(file: string, line: number, text: string) {
    this.file = file;
    this.line = line;
    this.text = text;
    const document = parseManifest(text);
    this.faults = document.errors.map((error) => `${file}:${this.#place(error)}`);
    this.#model = new WorkingModel(this.faults.length > 0 ? undefined : document.toJS());
  }

  /** As it stands after the edits so far. */
  get value(): unknown {
    return this.#model.root;
  }

  /** The objects in it: none in an empty document, several in a list. */
  get objects(): ManifestObject[] {
    return objectsIn(this, this.value, []);
  }

  /** Carries out operations whose paths start at a place below the root. */
  edit(under: readonly Step[], operations: readonly JsonPatchOperation[]): void {
    for (const operation of operations) {
      const moved = { ...operation, path: pointer(under) + operation.path };
      this.#model.apply(moved);
      this.#operations.push(moved);
    }
  }

  /** The text with its edits; as it was, byte for byte, without any. A CannotEdit where a text has no place for them. */
  output(): string {
    if (this.isRemoved) return "";
    if (this.#operations.length === 0) return this.text;
    const text = editYaml(this.text, this.#operations);
    const document = parseManifest(text);
    // An anchor's value stands in several places, and an edit would have changed them all.
    if (document.errors.length > 0 || !Bun.deepEquals(document.toJS(), this.value))
      throw new CannotEdit("its anchors or its layout do not let it be changed in one place alone");
    return text;
  }

  #place(error: YAMLError): string {
    const lines = new LineCounter();
    for (const match of this.text.matchAll(/^/gm)) lines.addNewLine(match.index);
    const { line, col } = lines.linePos(syntaxOffset(error, this.text));
    const { problem, remedy } = syntaxWords(error, this.text);
    return `${this.line + Math.max(1, line) - 1}:${Math.max(1, col)}: ${problem}; ${remedy}`;
  }
}

function objectsIn(document: ManifestDocument, value: unknown, path: readonly Step[]): ManifestObject[] {
  if (!isMap(value)) return [];
  const kind = textOf(value, "kind") ?? "";
  if (kind.endsWith("List") && Array.isArray(value.items))
    return itemsOf(value, "items").flatMap((item, at) => objectsIn(document, item, [...path, "items", at]));
  const [name, generated] = [dig(value, "metadata", "name"), dig(value, "metadata", "generateName")];
  const namespace = dig(value, "metadata", "namespace");
  return [
    {
      document,
      path,
      kind,
      name: typeof name === "string" ? name : typeof generated === "string" ? generated : "",
      namespace: typeof namespace === "string" ? namespace : undefined,
      value,
    },
  ];
}

/**
 * The documents of a text. A line that begins with `---` separates them wherever it stands: neither a quoted text nor a
 * block may hold one (YAML 1.1 §4.1.4). Comments and directives before the first belong to it.
 */
export function splitDocuments(file: string, text: string): ManifestDocument[] {
  const starts = [...text.matchAll(/^---(?=[ \t\r\n]|$)/gm)].map(({ index }) => index);
  const hasHead = /^[ \t]*[^#%\s]/m.test(text.slice(0, starts[0] ?? text.length));
  const from = starts.length === 0 || hasHead ? [0, ...starts] : [0, ...starts.slice(1)];
  return from.map((start, at) => {
    const line = text.slice(0, start).split("\n").length;
    return new ManifestDocument(file, line, text.slice(start, from[at + 1]));
  });
}

/** Documents as one text, each begun by `---` but the first. */
export function joinDocuments(texts: readonly string[]): string {
  let joined = "";
  for (const text of texts.filter((one) => one !== "")) {
    const begins = joined === "" || /^(?:[ \t]*(?:#.*)?\n|%.*\n)*---/.test(text);
    const isOpen = joined !== "" && !joined.endsWith("\n");
    joined += `${isOpen ? "\n" : ""}${begins ? "" : "---\n"}${text}`;
  }
  return joined;
}
