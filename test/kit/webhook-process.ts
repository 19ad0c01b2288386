/** A webhook in a process of its own, as a container runs it; and reviews sent to it by Node without a pause. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { until } from "./until.ts";
import { type FakeCluster, pod, review, serviceName } from "./webhook-run.ts";

const main = join(import.meta.dirname, "../../src/main.ts");
const loadProgram = join(import.meta.dirname, "review-load.mjs");

/** Node, which npm needs anyway. */
export const node = Bun.which("node") ?? undefined;
if (node === undefined) process.stderr.write("SKIPPED: reviews under load, because node is not in the PATH\n");

export interface Line {
  readonly event: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export class WebhookProcess {
  readonly lines: Line[] = [];
  readonly complaints: string[] = [];
  readonly exited: Promise<number>;
  hasEnded = false;
  private readonly process: Subprocess<"ignore", "ignore", "pipe">;

  constructor(words: readonly string[], command: readonly string[] = [process.execPath, main]) {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("KUBERNETES_")));
    this.process = Bun.spawn([...command, "webhook", ...words], {
      stdin: "ignore",
      stdout: "ignore",
      stderr: "pipe",
      env,
    });
    const reading = this.read();
    this.exited = Promise.all([this.process.exited, reading]).then(([code]) => {
      this.hasEnded = true;
      return code;
    });
  }

  /** On loopback, in that cluster. */
  static spawnIn(cluster: FakeCluster, words: readonly string[] = [], command?: readonly string[]): WebhookProcess {
    const place = ["--api-server", cluster.api.url, "--service-account", cluster.account];
    const own = ["--port", "127.0.0.1:0", "--health", "127.0.0.1:0", "--default", "config-map=shop-config"];
    return new WebhookProcess([...own, ...place, ...words], command);
  }

  /** The same; ready when this resolves. */
  static async inCluster(cluster: FakeCluster, ...words: string[]): Promise<WebhookProcess> {
    const started = WebhookProcess.spawnIn(cluster, words);
    await started.event("webhook_ready");
    return started;
  }

  async event(name: string, after = 0): Promise<Line> {
    const found = () => this.lines.filter(({ event }) => event === name)[after];
    await until(() => found() !== undefined || this.hasEnded, { what: `event ${name}` });
    if (found() === undefined) throw new Error(`it ended before ${name}: ${this.complaints.join("\n")}`);
    return found()!;
  }

  get pid(): number {
    return this.process.pid;
  }

  get port(): number {
    return Number(
      String(this.lines.find(({ event }) => event === "webhook_listening")?.address)
        .split(":")
        .at(-1),
    );
  }

  get healthUrl(): string {
    return `http://${this.lines.find(({ event }) => event === "webhook_listening")?.health}`;
  }

  async isReady(): Promise<boolean> {
    try {
      return (await fetch(`${this.healthUrl}/ready`)).ok;
    } catch {
      return false;
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.exited;
  }

  private async read(): Promise<void> {
    let rest = "";
    const decoder = new TextDecoder();
    for await (const bytes of this.process.stderr) {
      const lines = (rest + decoder.decode(bytes, { stream: true })).split("\n");
      rest = lines.pop()!;
      for (const line of lines) this.take(line);
    }
  }

  private take(line: string): void {
    if (line.startsWith("{")) this.lines.push(JSON.parse(line));
    else this.complaints.push(line);
  }
}

export interface LoadSummary {
  readonly ok: number;
  readonly failures: readonly string[];
  /** Serial numbers of the certificates that were met. */
  readonly serials: readonly string[];
  /** Milliseconds. */
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly most: number;
}

/** API servers by the dozen: each sends its next review when it has its answer. */
export class ReviewLoad {
  private readonly process: Subprocess<"pipe", "pipe", "inherit">;

  constructor(cluster: FakeCluster, concurrency: number, bodies: readonly string[] = [review(pod())]) {
    const files = bodies.map((body, at) => {
      const file = join(cluster.folder, `body-${concurrency}-${at}.json`);
      writeFileSync(file, body);
      return file;
    });
    const how = JSON.stringify({ name: serviceName, bodies: files, concurrency });
    this.process = Bun.spawn([node!, loadProgram, how], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  }

  /** What API servers learn: the caBundle, and which replicas are ready. Begins with the first. */
  tell(change: { ca?: string; ports?: readonly number[]; reset?: true }): void {
    this.process.stdin.write(`${JSON.stringify(change)}\n`);
    this.process.stdin.flush();
  }

  async end(): Promise<LoadSummary> {
    this.process.stdin.write('{"stop":true}\n');
    this.process.stdin.end();
    const text = await new Response(this.process.stdout).text();
    await this.process.exited;
    return JSON.parse(text);
  }
}
