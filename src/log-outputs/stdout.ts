import * as z from "zod";
import { defineLogOutput } from "../contracts.ts";

/** The shortest output there is: whole lines as they were written, to the process's own stdout. */
export default defineLogOutput({
  name: "stdout",
  doc: "Writes lines to stdout exactly as they were written, where `kubectl logs` shows them. A reader that stalls stops the reading of files, nothing else.",
  config: z.strictObject({}),
  explain: () => "to stdout as they are",
  create: (_, { stdout }) => ({
    async deliver({ blocks }) {
      // Written in order, so the last one taken means all of them are.
      await Promise.all(blocks.map((block) => stdout.write(block.bytes)));
      return { outcome: "delivered" };
    },
  }),
});
