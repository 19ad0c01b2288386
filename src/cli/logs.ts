import { defineCommand } from "../contracts.ts";

export default defineCommand({
  name: "logs",
  doc: "Show the lines that pass in a running sidecar, or how far it is with every file.",
  options: {
    config: { kind: "text", flags: "-c, --config <file>", doc: "the configuration the sidecar runs with" },
    input: { kind: "text", flags: "--input <name>", doc: "only lines of this entry of logs:; - is the sidecar's own" },
    output: { kind: "text", flags: "--output <name>", doc: "only lines that go to this output" },
    path: { kind: "text", flags: "--path <pattern>", doc: "only lines of files that match, such as '*.log'" },
    files: { kind: "flag", flags: "--files", doc: "a table of files and how far outputs have them, instead of lines" },
    json: { kind: "flag", flags: "--json", doc: "one JSON object for each line or file" },
  },
  examples: ["outrigger logs", "outrigger logs --path '/var/log/nginx/*' --json", "outrigger logs --files"],
  async run(options, _operands, io) {
    const { findAdmin } = await import("../config/find-admin.ts");
    const end = findAdmin(options.config, io.env);
    if (options.files) return (await import("./_files-table.ts")).showFiles(end, options, io);
    return (await import("./_passing-lines.ts")).showLines(end, options, io);
  },
});
