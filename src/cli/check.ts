import { defineCommand } from "../contracts.ts";

export default defineCommand({
  name: "check",
  doc: "Check a configuration, and say in sentences what it will do.",
  options: {
    config: { kind: "text", flags: "-c, --config <file>", doc: "the configuration" },
    noEnv: { kind: "flag", flags: "--no-env", doc: "leave references as they are, and look at no other file" },
  },
  examples: ["outrigger check", "outrigger check -c outrigger.yaml --no-env"],
  async run({ config: flag, noEnv }, _operands, io) {
    const { findConfig, formatFaults, inspectConfig, lookForState } = await import("../config/load.ts");
    const path = findConfig(flag, io.env);
    const result = await inspectConfig(path, { env: io.env, keepReferences: noEnv });
    if (result.ok === false) {
      io.err(`${formatFaults(result.faults)}\n`);
      return 1;
    }
    if (result.ok === "unresolved") {
      io.out(`${path} is right as far as can be told without the environment.\n`);
      io.out(`Not known without it: ${result.paths.join(", ")}.\n`);
      return 0;
    }
    const { explain } = await import("../config/explain.ts");
    const state = noEnv ? undefined : lookForState(result.config, io.env);
    const stateDir = state !== undefined && "folder" in state ? state.folder : undefined;
    io.out(`${path} is right. This is what will happen.\n\n${explain(result.config, result.dropIns, stateDir)}`);
    const { certificateNotes } = await import("../config/certificate-findings.ts");
    const notes = noEnv ? [] : await certificateNotes(result.config, io.clock.wall());
    if (notes.length > 0) io.out(`\n${notes.join("\n")}\n`);
    return 0;
  },
});
