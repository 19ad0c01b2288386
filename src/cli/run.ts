import { defineCommand } from "../contracts.ts";
import { UserError } from "../errors.ts";

const logFormats = ["json", "text"] as const;

export default defineCommand({
  name: "run",
  doc: "Run the sidecar.",
  options: {
    config: { kind: "text", flags: "-c, --config <file>", doc: "the configuration" },
    logFormat: {
      kind: "text",
      flags: "--log-format <json|text>",
      doc: "how its own log is written to stderr (json; text is for a person)",
    },
  },
  async run({ config, logFormat: wanted = "json" }, _operands, io) {
    const logFormat = logFormats.find((format) => format === wanted);
    if (logFormat === undefined) throw new UserError(`--log-format ${wanted}: write json or text`, 2);
    const { earlySignal, endings } = await import("../early-signals.ts");
    // From here on a signal is ours: as process 1 of a container we would not even be ended by one.
    const asked: NodeJS.Signals[] = [];
    let take = (signal: NodeJS.Signals) => void asked.push(signal);
    for (const signal of endings) process.on(signal, () => take(signal));
    const early = earlySignal();
    if (early !== undefined) asked.push(early);
    process.on("SIGHUP", () => {});
    const [{ findConfig }, { startSidecar }] = await Promise.all([
      import("../config/load.ts"),
      import("../sidecar.ts"),
    ]);
    const { env, clock, random } = io;
    const sidecar = await startSidecar({ configPath: findConfig(config, env), env, clock, random, logFormat });
    process.on("SIGHUP", () => void sidecar.reload("SIGHUP"));
    // Two may come in one turn of the loop; asked once more, it stops at once.
    take = (signal) => void sidecar.drain(signal);
    for (const signal of asked) take(signal);
    return sidecar.stopped;
  },
});
