import { defineCommand } from "../contracts.ts";
import { UserError } from "../errors.ts";

export default defineCommand({
  name: "dev",
  doc: "Run the sidecar and the app together on this machine.",
  options: {
    config: { kind: "text", flags: "-c, --config <file>", doc: "the configuration of the sidecar" },
  },
  operands: { usage: "[command...]", doc: "the app's command, after --" },
  examples: ["outrigger dev -c outrigger.yaml -- npm start"],
  async run({ config: flag }, command, io) {
    if (command.length === 0) {
      throw new UserError("dev: the app's command is missing: outrigger dev -c FILE -- COMMAND…", 2);
    }
    const [{ Pair }, { planPair }] = await Promise.all([import("./_pair.ts"), import("./_plan.ts")]);
    return new Pair(await planPair(flag, command, io.env), io).run();
  },
});
