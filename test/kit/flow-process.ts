/** The other end of `flow-child.ts`. */
import { join } from "node:path";
import type { FileSink, Subprocess } from "bun";
import type { Figures, Wish } from "./flow-child.ts";
import { Wire } from "./wire.ts";

const child = join(import.meta.dirname, "flow-child.ts");

export class FlowProcess {
  readonly start: Figures;
  private readonly process: Subprocess<"pipe", "pipe", "inherit">;
  private readonly lines: AsyncGenerator<string>;

  private constructor(process: Subprocess<"pipe", "pipe", "inherit">, lines: AsyncGenerator<string>, start: Figures) {
    this.process = process;
    this.lines = lines;
    this.start = start;
  }

  /** @param openFiles limit on its file descriptors */
  static async start(wish: Wish, openFiles?: number): Promise<FlowProcess> {
    const run = [process.execPath, child, JSON.stringify(wish)];
    const limited = openFiles === undefined ? run : ["sh", "-c", `ulimit -n ${openFiles}; exec "$@"`, "sh", ...run];
    const started = Bun.spawn(limited, { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
    const lines = linesOf(started.stdout);
    return new FlowProcess(started, lines, parse(await lines.next()));
  }

  port(listener = "web"): number {
    return this.start.ports[listener]!;
  }

  connect(listener = "web"): Promise<Wire> {
    return Wire.connect(this.port(listener));
  }

  get running(): boolean {
    return this.process.exitCode === null;
  }

  /** @param collect true to collect garbage before */
  async figures(collect = false): Promise<Figures> {
    const stdin: FileSink = this.process.stdin;
    stdin.write(collect ? "collect\n" : "\n");
    stdin.flush();
    return parse(await this.lines.next());
  }

  /** Ends it and returns its exit code. */
  async stop(): Promise<number> {
    this.process.stdin.end();
    const timer = setTimeout(() => this.process.kill("SIGKILL"), 5000);
    const code = await this.process.exited;
    clearTimeout(timer);
    return code;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of stream) {
    text += decoder.decode(bytes, { stream: true });
    for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n")) {
      yield text.slice(0, end);
      text = text.slice(end + 1);
    }
  }
}

function parse(line: IteratorResult<string>): Figures {
  if (line.done === true) throw new Error("the process ended");
  return JSON.parse(line.value);
}
