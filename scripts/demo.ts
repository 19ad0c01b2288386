/**
 * `npm start`: samples/all-in-one on this machine, with intervals short enough to see all three scenes at once.
 * Runs until Ctrl-C; with OUTRIGGER_DEMO_SECONDS set, stops by itself after that time.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { healthUrl } from "../src/cli/_health-url.ts";
import { formatFaults, loadConfig } from "../src/config/load.ts";
import type { Config } from "../src/config/schema.ts";
import { main, ProcessIo } from "../src/main.ts";

const sample = join(import.meta.dirname, "../samples/all-in-one");
const remindAfterMs = 4000;
const couldNotStart = 3;

interface Port {
  port: number;
  /** Who needs it, and where another one is written. */
  use: string;
}

/** The ports of the sample as it is configured now: whoever changes one is asked about that one. */
function portsOf({ health, schedules, outbound }: Config): Port[] {
  const file = "samples/all-in-one/outrigger.yaml";
  const app = Number(new URL(schedules[0]?.request.url ?? "http://localhost:7878").port);
  return [
    { port: health.port, use: `the sidecar's health; choose another with the key health in ${file}` },
    { port: app, use: `the app; choose another with $PORT and the key schedules[0].request in ${file}` },
    ...outbound.map(({ listen }, i) => ({
      port: listen.port,
      use: `the app's calls; choose another with $TARGET_URL and the key outbound[${i}].listen in ${file}`,
    })),
  ];
}

function isTaken(port: number): boolean {
  try {
    Bun.listen({ hostname: "127.0.0.1", port, socket: { data() {} } }).stop(true);
    return false;
  } catch {
    return true;
  }
}

function intro(logs: string): string {
  return `
An app and its sidecar, side by side on this machine (samples/all-in-one):

  logs      the app writes files in ${logs}; the sidecar prints their lines
  requests  every second the sidecar calls the app ("receive a request!") and prints its answer ("Hello")
  calls     the app calls localhost:7979; the sidecar takes the call, logs it and answers ("HttpResponse(200 OK…")

`;
}

function lookNext(health: string): string {
  return `
Look next:
  curl ${health}/ready      is it ready, and if not, why
  curl ${health}/metrics    what it counted
  samples/README.md                     the scenes one by one, and their pods

`;
}

async function demo(io: ProcessIo): Promise<number> {
  const file = join(sample, "outrigger.yaml");
  const result = await loadConfig(file, { env: io.env });
  if (!result.ok) {
    io.err(`${formatFaults(result.faults)}\n`);
    return 1;
  }
  const taken = portsOf(result.config).filter(({ port }) => isTaken(port));
  for (const { port, use } of taken) io.err(`port ${port} is taken: it is needed for ${use}\n`);
  if (taken.length > 0) return couldNotStart;
  io.out(intro(io.env.LOG_DIR ?? ""));
  setTimeout(() => void io.out(lookNext(healthUrl(result.config.health))), remindAfterMs);
  const seconds = Number(io.env.OUTRIGGER_DEMO_SECONDS ?? 0);
  if (seconds > 0) setTimeout(() => process.kill(process.pid, "SIGINT"), seconds * 1000);
  return main(["dev", "--config", file, "--", process.execPath, join(sample, "workload.ts")], io);
}

const folder = mkdtempSync(join(tmpdir(), "outrigger-demo-"));
const io = new ProcessIo({
  ...process.env,
  INTERVAL: "1s",
  LOG_DIR: join(folder, "logs"),
  OUTRIGGER_STATE_DIR: join(folder, "state"),
});
const code = await demo(io);
rmSync(folder, { recursive: true, force: true });
await io.exit(code);
