/**
 * A program that `dev` runs beside others, with all that it starts.
 *
 *   dev ── sh (watchdog)      reads our pipe: its end means that we are gone, however we went
 *    ├──── sidecar            each in a process group of its own, so that the terminal's Ctrl-C
 *    └──── app                reaches only us, and so that what they started ends with them
 */
import type { Subprocess } from "bun";
import { UserError } from "../errors.ts";

type Environment = Readonly<Record<string, string | undefined>>;
export type Role = "app" | "sidecar";

/** Ends, when its input ends, the process groups it was told of: first the app's, then the sidecar's. */
const watchdogScript = `
app= sidecar=
while read -r role group; do
  case $role in app) app=$group ;; sidecar) sidecar=$group ;; esac
done
for group in $app $sidecar; do
  kill -s TERM -- "-$group"
  seconds=0
  while kill -s 0 -- "-$group" && [ $seconds -lt 10 ]; do sleep 1; seconds=$((seconds + 1)); done
  kill -s KILL -- "-$group"
done 2>/dev/null
`;

/** Survives us and ends our children when we could not. */
export class Watchdog {
  readonly #shell: Subprocess<"pipe", "ignore", "ignore">;

  constructor() {
    this.#shell = Bun.spawn(["sh", "-c", watchdogScript], {
      detached: true,
      stdin: "pipe",
      stdout: "ignore",
      stderr: "ignore",
    });
    this.#shell.unref();
  }

  /** Which process group plays this role from now on; undefined when it has ended. */
  watch(role: Role, group: number | undefined): void {
    this.#shell.stdin.write(`${role} ${group ?? ""}\n`);
    this.#shell.stdin.flush();
  }
}

/** How a program ended: its exit code, 128 + n after signal n, as a shell says it. */
export interface Ending {
  readonly code: number;
  /** It ended by the SIGTERM we sent, whether it caught it or not. */
  readonly asAsked: boolean;
}

const terminated = 128 + 15;

/** How long lines may still come after a program ended, from what it started and we could not end. */
const lastLinesMs = 1000;

export class Child {
  readonly role: Role;
  readonly ended: Promise<Ending>;
  readonly #process: Subprocess<"ignore", "pipe", "pipe">;
  readonly #watchdog: Watchdog;
  #asked = false;

  /** Starts the command. @throws UserError (exit 2) when there is no such program. */
  constructor(role: Role, command: readonly string[], env: Environment, watchdog: Watchdog) {
    this.role = role;
    this.#watchdog = watchdog;
    try {
      this.#process = Bun.spawn([...command], {
        env: { ...env },
        detached: true,
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
    } catch (error) {
      throw new UserError(`${command[0]} could not be started: ${(error as Error).message}`, 2);
    }
    watchdog.watch(role, this.#process.pid);
    this.ended = this.#process.exited.then((code) => this.#end(code));
  }

  get outputs(): readonly [ReadableStream<Uint8Array>, ReadableStream<Uint8Array>] {
    return [this.#process.stdout, this.#process.stderr];
  }

  #end(code: number): Ending {
    // What it started and left behind ends with it, as in a container.
    this.#signal("SIGKILL");
    this.#watchdog.watch(this.role, undefined);
    return { code, asAsked: this.#asked && (code === 0 || code === terminated) };
  }

  #signal(signal: NodeJS.Signals): void {
    try {
      process.kill(-this.#process.pid, signal);
    } catch {
      // Nobody is left in the group.
    }
  }

  /** SIGTERM, and SIGKILL when it has not ended within the grace. Resolves at its end. */
  async stop(graceMs: number): Promise<Ending> {
    this.#asked = true;
    this.#signal("SIGTERM");
    const impatience = setTimeout(() => this.#signal("SIGKILL"), graceMs);
    const ending = await this.ended;
    clearTimeout(impatience);
    return ending;
  }

  kill(): void {
    this.#asked = true;
    this.#signal("SIGKILL");
  }
}

/** Resolves with the promise, or after `lastLinesMs` without it. */
export async function lastLines(pumps: Promise<unknown>): Promise<void> {
  let timer: Timer | undefined;
  const patience = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, lastLinesMs);
  });
  await Promise.race([pumps, patience]);
  clearTimeout(timer);
}
