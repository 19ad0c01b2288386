import * as z from "zod";
import { option } from "../config/scalars.ts";
import { type Block, defineLogOutput } from "../contracts.ts";

/** The shortest output there is: whole lines to the process's own stdout. */
export default defineLogOutput({
  name: "stdout",
  doc: "Writes lines to stdout, exactly as they were written unless told otherwise, where `kubectl logs` shows them. A reader that stalls stops the reading of files, nothing else.",
  config: z.strictObject({
    format: option(
      z.enum(["text", "json"]),
      "`text`: lines as they were written, parsed records as JSON. `json`: each line as one JSON object, its text as `message` beside the entry's fields.",
      { default: "text" },
    ).optional(),
  }),
  explain: ({ format }) => (format === "json" ? "to stdout, each as one JSON object" : "to stdout as they are"),
  async create({ format = "text" }, { stdout }) {
    const bytesOf = format === "text" ? (block: Block) => block.bytes : await jsonBytes();
    return {
      async deliver({ blocks }) {
        // Written in order, so the last one taken means all of them are.
        await Promise.all(blocks.map((block) => stdout.write(bytesOf(block))));
        return { outcome: "delivered" };
      },
    };
  },
});

async function jsonBytes(): Promise<(block: Block) => Uint8Array> {
  const { bytesOf } = await import("./_json-lines.ts");
  return (block) => bytesOf(block, "json");
}
