/** Programs that tests use where they are installed: a test that cannot find one skips, and says so. */
import { spawn } from "node:child_process";

/** Where it is, or undefined after a loud word on stderr. */
export function program(name: string, from: string): string | undefined {
  const path = Bun.which(name) ?? undefined;
  if (path === undefined) process.stderr.write(`SKIPPED: ${name} is not here; ${from}\n`);
  return path;
}

export interface Outcome {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

/** Runs it to its end, for at most `timeoutMs`. */
export function run(command: string, args: readonly string[], timeoutMs = 60_000): Promise<Outcome> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ["ignore", "pipe", "pipe"], timeout: timeoutMs });
    let out = "";
    let err = "";
    child.stdout.on("data", (bytes) => {
      out += bytes;
    });
    child.stderr.on("data", (bytes) => {
      err += bytes;
    });
    child.on("error", reject);
    child.on("close", (code) => resolve({ code, out, err }));
  });
}
