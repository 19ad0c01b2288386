/** Batches as documents behind each other: one a line, or one array of them. */
import type { Batch } from "../contracts.ts";
import { ByteWriter } from "./_byte-writer.ts";
import { type DocumentRules, Documents } from "./_documents.ts";
import { eachLineOf } from "./_items.ts";

/** What a document takes beside its line, mostly. */
const documentBytes = 100;

export class DocumentBodies {
  private readonly writer = new ByteWriter();
  private readonly documents: Documents;
  private readonly format: "ndjson" | "json";
  private readonly onMended: () => void;

  constructor(format: "ndjson" | "json", rules: DocumentRules, onMended: () => void) {
    this.format = format;
    this.onMended = onMended;
    this.documents = new Documents(rules, this.writer);
  }

  encode({ blocks, bytes, count }: Batch, wallMs: number): readonly Uint8Array[] {
    const { writer, documents } = this;
    const [first, between, last] = this.format === "json" ? ["[", ",", "]"] : ["", "\n", "\n"];
    writer.reset(bytes + count * documentBytes);
    documents.begin(wallMs);
    let before = first;
    const next = () => {
      writer.text(before);
      before = between;
    };
    for (const block of blocks) {
      const line = (line: Uint8Array, start: number, end: number) => {
        next();
        documents.line(block.source, line, start, end);
      };
      if (block.records === undefined) eachLineOf(block, line, this.onMended);
      else
        for (const record of block.records) {
          next();
          documents.record(record);
        }
    }
    writer.text(last);
    return [writer.from(0)];
  }
}
