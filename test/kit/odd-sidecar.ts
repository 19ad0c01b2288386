/** A sidecar whose traffic threads have the filters of `odd-worker.ts`: `logAccess` does there what a request's path says. */
import { systemClock } from "../../src/clock.ts";
import { startSidecar } from "../../src/sidecar.ts";
import { spawnOddWorker } from "./threads.ts";

const sidecar = await startSidecar({
  configPath: process.argv[2]!,
  env: process.env,
  clock: systemClock,
  random: Math.random,
  spawnWorker: spawnOddWorker,
});
for (const signal of ["SIGTERM", "SIGINT"] as const) process.on(signal, () => void sidecar.drain(signal));
process.exit(await sidecar.stopped);
