/** A real sidecar in a process of its own, as a container runs it, and what it says on its two outputs. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Subprocess } from "bun";
import { until } from "./until.ts";

export type Entry = Record<string, unknown> & { event: string; level: string; message: string };

const main = join(import.meta.dirname, "../../src/main.ts");

/** A folder with a config and state, in which sidecars are started one after the other. */
export class Pod {
  readonly folder = mkdtempSync(join(tmpdir(), "pod-"));
  readonly configPath = join(this.folder, "outrigger.yaml");
  private readonly sidecars: SidecarProcess[] = [];

  /**
   * Writes the config; `health` and `state` are added where it does not set them, and so is `concurrency` with
   * `TEST_CONCURRENCY=2 npm test -- test/flow`.
   */
  write(config: string): void {
    const defaults = [
      ...(/^health:/m.test(config) ? [] : ["health: 127.0.0.1:0"]),
      ...(/^state:/m.test(config) ? [] : [`state: ${join(this.folder, "state")}`]),
    ];
    const wanted = process.env.TEST_CONCURRENCY;
    const concurrency = wanted === undefined || /^concurrency:/m.test(config) ? [] : [`concurrency: ${wanted}`];
    writeFileSync(this.configPath, [...defaults, config, ...concurrency, ""].join("\n"));
  }

  file(name: string, text = ""): string {
    const path = join(this.folder, name);
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, text);
    return path;
  }

  /** Starts a sidecar and waits until it is ready. */
  async start(config?: string, options: SpawnOptions = {}): Promise<SidecarProcess> {
    const sidecar = this.spawn(config, options);
    await until(() => sidecar.entries.some(({ event }) => event === "ready") || sidecar.hasEnded, { what: "ready" });
    if (sidecar.hasEnded) throw new Error(`the sidecar ended: ${sidecar.errorText}`);
    return sidecar;
  }

  /** Starts one and does not wait. */
  spawn(config?: string, options: SpawnOptions = {}): SidecarProcess {
    if (config !== undefined) this.write(config);
    const sidecar = new SidecarProcess(this.configPath, options);
    this.sidecars.push(sidecar);
    return sidecar;
  }

  async remove(): Promise<void> {
    await Promise.all(this.sidecars.map((sidecar) => sidecar.kill()));
    rmSync(this.folder, { recursive: true, force: true });
  }
}

export interface SpawnOptions {
  /** What is run instead of the command line: a file whose first argument is the config's path. */
  program?: string;
  /** Where stdout goes; it is read here by default. */
  stdout?: number;
  /** Where stderr goes; it is read here by default. */
  stderr?: number;
  env?: Record<string, string>;
  /** Words in front of the whole command, such as those that enter a network. */
  through?: readonly string[];
}

export class SidecarProcess {
  readonly exited: Promise<number>;
  /** What was written to stdout, line by line. */
  readonly records: string[] = [];
  /** The own log. */
  readonly entries: Entry[] = [];
  /** Lines of stderr that are not of the own log. */
  readonly complaints: string[] = [];
  hasEnded = false;
  private readonly process: Subprocess<"ignore", "pipe" | number, "pipe" | number>;

  constructor(configPath: string, { program, stdout, stderr, env = {}, through = [] }: SpawnOptions) {
    const words = program === undefined ? [main, "run", "-c", configPath] : [program, configPath];
    this.process = Bun.spawn([...through, process.execPath, ...words], {
      stdin: "ignore",
      stdout: stdout ?? "pipe",
      stderr: stderr ?? "pipe",
      env: { ...process.env, ...env },
    });
    const reading = [
      readLines(this.process.stdout, (line) => void this.records.push(line)),
      readLines(this.process.stderr, (line) => this.takeError(line)),
    ];
    this.exited = Promise.all([this.process.exited, ...reading]).then(([code]) => {
      this.hasEnded = true;
      return code;
    });
  }

  get pid(): number {
    return this.process.pid;
  }

  get errorText(): string {
    return this.complaints.join("\n");
  }

  /** `host:port` of the only listener, or of the one with that name, as it is bound now. */
  address(name?: string): string {
    const bound = this.entries.filter(
      (entry) => entry.event === "listener_bound" && (name ?? entry.listener) === entry.listener,
    );
    const address = String(bound.at(-1)?.address);
    return address.startsWith(":") ? `127.0.0.1${address}` : address;
  }

  get healthUrl(): string {
    return `http://${this.entries.find(({ event }) => event === "ready")?.health}`;
  }

  signal(signal: NodeJS.Signals): void {
    this.process.kill(signal);
  }

  /** Asks it to stop; resolves to the exit code. */
  stop(signal: NodeJS.Signals = "SIGINT"): Promise<number> {
    this.signal(signal);
    return this.exited;
  }

  async kill(): Promise<void> {
    this.process.kill("SIGKILL");
    await this.process.exited;
  }

  /** The latest event of that name, once it is there; `after` skips as many. */
  async event(name: string, { after = 0, deadlineMs = 20_000 } = {}): Promise<Entry> {
    const found = () => this.entries.filter(({ event }) => event === name)[after];
    await until(() => found() !== undefined, { what: `event ${name}`, deadlineMs });
    return found()!;
  }

  count(name: string): number {
    return this.entries.filter(({ event }) => event === name).length;
  }

  /** The value of a series, such as `outrigger_schedule_runs_total{schedule="a",result="success"}`; 0 when absent. */
  async metric(series: string, healthUrl = this.healthUrl): Promise<number> {
    const text = await (await fetch(`${healthUrl}/metrics`)).text();
    const line = text.split("\n").find((candidate) => candidate.startsWith(`${series} `));
    return line === undefined ? 0 : Number(line.slice(series.length + 1));
  }

  private takeError(line: string): void {
    if (line.startsWith("{")) this.entries.push(JSON.parse(line));
    else this.complaints.push(line);
  }
}

/** Gives each line to `take`; nothing to read where the output goes somewhere else. */
async function readLines(stream: unknown, take: (line: string) => void): Promise<void> {
  if (!(stream instanceof ReadableStream)) return;
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of stream) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop()!;
    for (const line of lines) take(line);
  }
  if (rest !== "") take(rest);
}
