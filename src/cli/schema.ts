import { defineCommand } from "../contracts.ts";

export default defineCommand({
  name: "schema",
  doc: "Print the JSON Schema of the configuration, for editors and other tools.",
  examples: ["outrigger schema > outrigger.schema.json"],
  async run(_options, _operands, io) {
    const { jsonSchema } = await import("../config/reference.ts");
    io.out(`${JSON.stringify(await jsonSchema(), null, 2)}\n`);
    return 0;
  },
});
