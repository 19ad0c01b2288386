/** Podman with a storage of its own, in the namespaces that `npm run test:pods` has made. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";

/** How a container ended, or that it has not. */
export interface State {
  running: boolean;
  code: number;
  /** Milliseconds since the epoch. */
  startedAt: number;
  finishedAt: number;
}

interface Inspected {
  State: { Status: string; ExitCode: number; StartedAt: string; FinishedAt: string };
}

export class Podman {
  readonly #flags: string[];

  /** `folder` holds everything it keeps. */
  constructor(folder: string) {
    const places = ["root", "runroot", "network-config-dir"].map((flag) => [flag, join(folder, flag)] as const);
    for (const [, path] of places) mkdirSync(path, { recursive: true });
    this.#flags = [...places.map(([flag, path]) => `--${flag}=${path}`), "--log-level=error"];
  }

  /** Runs one command to its end; resolves to what it wrote to stdout. Rejects with its stderr when it fails. */
  async run(...words: string[]): Promise<string> {
    const child = Bun.spawn(["podman", ...this.#flags, ...words], { stdin: "ignore", stdout: "pipe", stderr: "pipe" });
    const [out, err, code] = await Promise.all([child.stdout.text(), child.stderr.text(), child.exited]);
    if (code !== 0) throw new Error(`podman ${words.join(" ")}: exit code ${code}\n${err.trim()}`);
    return out.trim();
  }

  /** As `run`, and reads JSON. */
  async ask<T>(...words: string[]): Promise<T> {
    return JSON.parse(await this.run(...words));
  }

  async state(container: string): Promise<State> {
    const [inspected] = await this.ask<Inspected[]>("container", "inspect", container);
    const { Status, ExitCode, StartedAt, FinishedAt } = inspected!.State;
    return {
      running: Status === "running",
      code: ExitCode,
      startedAt: Date.parse(StartedAt),
      finishedAt: Date.parse(FinishedAt),
    };
  }
}
