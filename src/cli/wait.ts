import { defineCommand } from "../contracts.ts";
import { UserError } from "../errors.ts";

export default defineCommand({
  name: "wait",
  doc: "Wait until a sidecar on this machine or in this pod has started: its configuration is valid, its ports are bound.",
  options: {
    port: { kind: "text", flags: "--port <number>", doc: "its health port (that of the configuration, else 7411)" },
    timeout: { kind: "text", flags: "--timeout <duration>", doc: "how long (60s); then the exit code is 3" },
    config: { kind: "text", flags: "-c, --config <file>", doc: "the configuration it runs with" },
  },
  examples: ["outrigger wait --port 7411 --timeout 60s"],
  async run(options, _operands, io) {
    const { waitForStart } = await import("./_start-wait.ts");
    const { parseDuration } = await import("../config/scalars.ts");
    const { timeout = "60s", port } = options;
    const parsed = parseDuration(timeout);
    if ("problem" in parsed) throw new UserError(`--timeout ${timeout}: ${parsed.problem}; ${parsed.remedy}`, 2);
    if (port !== undefined && !(/^\d{1,5}$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535))
      throw new UserError(`--port ${port}: write a port from 1 to 65535`, 2);
    const url = port === undefined ? await configuredUrl(options.config, io.env) : `http://127.0.0.1:${port}`;
    await waitForStart(url, parsed.value, io.clock);
    return 0;
  },
});

/** A configuration that is wrong is the sidecar's to complain of: it may run on the last good one. */
async function configuredUrl(flag: string | undefined, env: Readonly<Record<string, string | undefined>>) {
  const [{ findConfig, loadConfig }, { healthUrl }] = await Promise.all([
    import("../config/load.ts"),
    import("./_health-url.ts"),
  ]);
  const result = await loadConfig(findConfig(flag, env), { env });
  return result.ok ? healthUrl(result.config.health) : "http://127.0.0.1:7411";
}
