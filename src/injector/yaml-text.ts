/** YAML as Kubernetes' tools read it (1.1, without times), and values written so that every reader takes them alike. */
import { type CollectionTag, Document, parseDocument, type ScalarTag, stringify, type Tags, visit } from "yaml";

type Tag = CollectionTag | ScalarTag;

/** `kubectl` reads YAML 1.1, where 0444 is 292 and `on` is true; but 12:30:45 and dates stay texts, as it has them. */
const dialect = {
  version: "1.1",
  customTags: (tags: Tags): Tags => tags.filter((tag) => typeof tag === "string" || !isTime(tag)),
  logLevel: "silent",
  prettyErrors: false,
} as const;

function isTime(tag: Tag): boolean {
  return tag.tag.endsWith(":timestamp") || ("format" in tag && tag.format === "TIME");
}

/** Parses one document. */
export function parseManifest(text: string): Document.Parsed {
  return parseDocument(text, dialect);
}

/** A value in block style, `step` columns deeper at each level, lines ended by newlines. */
export function blockText(value: unknown, step: number, indentSeq: boolean): string {
  const document = new Document(value, { version: "1.1" });
  visit(document, {
    Scalar(_, node) {
      // What is a number in YAML 1.2 alone, such as 0o17, is quoted too.
      if (typeof node.value === "string" && !node.value.includes('"') && /^["']/.test(stringify(node.value)))
        node.type = node.value.includes("\n") ? "BLOCK_LITERAL" : "QUOTE_DOUBLE";
    },
  });
  return document.toString({ lineWidth: 0, indent: step, indentSeq });
}

/** A value in flow style: JSON, which YAML takes. `column` is where it stands when it may have several lines. */
export function flowText(value: unknown, column: number | undefined, step: number): string {
  if (column === undefined) return JSON.stringify(value);
  return JSON.stringify(value, null, step).replace(/\n/g, `\n${" ".repeat(column)}`);
}

/** Every line but empty ones moved to the right. */
export function indented(text: string, columns: number): string {
  return text.replace(/^(?=[^\n])/gm, " ".repeat(columns));
}
