/** A running `outrigger dev` whose output a test watches. */
import { join } from "node:path";

const root = join(import.meta.dirname, "../..");
const pollMs = 20;

/** A port that was free a moment ago. */
export function freePort(): number {
  const listener = Bun.listen({ hostname: "127.0.0.1", port: 0, socket: { data() {} } });
  const { port } = listener;
  listener.stop(true);
  return port;
}

export interface DevOptions {
  readonly config: string;
  readonly app: readonly string[];
  readonly env: Readonly<Record<string, string | undefined>>;
}

export class DevRun {
  output = "";
  readonly ended: Promise<number>;
  readonly #child;
  readonly #reading: Promise<unknown>;

  constructor({ config, app, env }: DevOptions) {
    this.#child = Bun.spawn([process.execPath, join(root, "src/main.ts"), "dev", "--config", config, "--", ...app], {
      env: { ...process.env, ...env },
      stdin: "ignore",
      stdout: "pipe",
      stderr: "pipe",
    });
    this.#reading = Promise.all([this.#read(this.#child.stdout), this.#read(this.#child.stderr)]);
    this.ended = this.#child.exited;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    const decoder = new TextDecoder();
    for await (const chunk of stream) this.output += decoder.decode(chunk, { stream: true });
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Resolves once the output has the pattern; rejects with all of the output when that takes too long. */
  async shows(pattern: RegExp, withinMs = 15_000): Promise<RegExpMatchArray> {
    for (let waitedMs = 0; ; waitedMs += pollMs) {
      const match = this.output.match(pattern);
      if (match) return match;
      const isOver = this.#child.exitCode !== null || this.#child.signalCode !== null;
      if (isOver) await this.#reading;
      if (isOver || waitedMs > withinMs) {
        const late = this.output.match(pattern);
        if (late) return late;
        throw new Error(`${isOver ? "ended" : "too late"} without ${pattern}:\n${this.output}`);
      }
      await Bun.sleep(pollMs);
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Ctrl-C; resolves to the exit code when all output has been read. */
  async stop(): Promise<number> {
    this.signal("SIGINT");
    const code = await this.ended;
    await this.#reading;
    return code;
  }

  /** Ends it whatever state the test left it in. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.signal("SIGKILL");
    await this.ended;
  }
}
