/**
 * One run of the correctness suite: a writer that rotates its files by every method, sidecars that are killed at
 * random moments, a destination that fails by schedule; and the verdict over all of it.
 */
import { closeSync, existsSync, openSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { seeded } from "../kit/random.ts";
import { Pod, type SidecarProcess } from "../kit/sidecar-process.ts";
import { until } from "../kit/until.ts";
import type { JournalEntry } from "./journal.ts";
import { Sink } from "./sink.ts";
import { type Delivered, failingWaitMs, judge, type Life, steadyWaitMs, type Verdict } from "./verdict.ts";

export interface OrdealOptions {
  readonly seed: number;
  /** How long the writer writes, at least, and how often a sidecar is killed meanwhile, at least. */
  readonly seconds: number;
  readonly kills: number;
  /** Of each of its streams. */
  readonly linesPerSecond: number;
  /** Milliseconds from one kill to the next. */
  readonly killEveryMs: readonly [least: number, most: number];
  /** Share of requests that the destination does not simply take. */
  readonly failing: number;
  /** Called once a second with the sidecar that runs. */
  readonly watch?: (sidecar: SidecarProcess, sink: Sink) => void;
}

export interface Outcome {
  readonly http: Verdict;
  readonly stdout: Verdict;
  readonly lines: number;
  readonly rotations: number;
  readonly kills: number;
  readonly requests: string;
  /** What was wrong with requests, or with how the last sidecar ended. */
  readonly faults: readonly string[];
}

/** How many logs the writer has. */
const streams = 10;
/** How long the last collector may deliver nothing while something is left: longer than three pauses in a row. */
const settleMs = 95_000;
const writer = join(import.meta.dirname, "writer.ts");

export async function ordeal(options: OrdealOptions): Promise<Outcome> {
  const run = new Ordeal(options);
  try {
    return await run.result();
  } finally {
    await run.remove();
  }
}

class Ordeal {
  private readonly options: OrdealOptions;
  private readonly pod = new Pod();
  private readonly logs = join(this.pod.folder, "logs");
  private readonly checkpoint = join(this.pod.folder, "state/logs/checkpoint.json");
  private readonly sink: Sink;
  private readonly lives: Life[] = [];
  private readonly faults: string[] = [];
  private sidecar!: SidecarProcess;
  private isWatching = true;

  constructor(options: OrdealOptions) {
    this.options = options;
    this.sink = new Sink(options.seed, options.failing);
  }

  async result(): Promise<Outcome> {
    await this.begin();
    const { seed, linesPerSecond } = this.options;
    const words = [this.logs, seed, linesPerSecond].map(String);
    const writing = Bun.spawn([process.execPath, writer, ...words], { stdin: "ignore", stdout: "pipe" });
    const watching = this.watch();
    await until(() => this.knownFiles() === streams, { what: "a checkpoint that has every file" });
    writeFileSync(join(this.logs, "rotate"), "");
    await this.killForAWhile();
    writeFileSync(join(this.logs, "end"), "");
    const journal = (await writing.stdout.text())
      .trim()
      .split("\n")
      .map((line): JournalEntry => JSON.parse(line));
    await this.end(journal);
    this.isWatching = false;
    await watching;
    return this.outcome(journal);
  }

  async remove(): Promise<void> {
    this.isWatching = false;
    this.sink.stop();
    await this.pod.remove();
  }

  private async begin(): Promise<void> {
    const places = (...names: string[]) => JSON.stringify(names.map((name) => join(this.logs, name)));
    const entry = (files: string) => [
      `  - files: ${files}`,
      "    to:",
      "      - stdout",
      `      - { name: sink, http: { url: "${this.sink.url}", timeouts: { request: 1s } } }`,
    ];
    const plain = entry(places("exact/*.log", "all/*.log*", "link/current"));
    const packed = entry(`{ paths: ${places("packed/*.log*")}, archives: true }`);
    this.pod.write(["logs:", ...plain, ...packed].join("\n"));
    await this.start();
  }

  private async start(): Promise<void> {
    this.sink.life = this.lives.length;
    const stdout = openSync(join(this.pod.folder, `${this.lives.length}.out`), "w");
    const never = Number.POSITIVE_INFINITY;
    this.lives.push({ readyAt: never, killedAt: never, checkpointAt: 0 });
    this.sidecar = this.pod.spawn(undefined, { stdout });
    closeSync(stdout);
    const { sidecar } = this;
    await until(() => sidecar.count("ready") > 0 || sidecar.hasEnded, { what: "ready" });
    if (sidecar.hasEnded) throw new Error(`the sidecar ended: ${sidecar.errorText}`);
    this.lives.at(-1)!.readyAt = Date.now();
  }

  private knownFiles(): number {
    const text = existsSync(this.checkpoint) ? readFileSync(this.checkpoint, "utf8") : "";
    return new Set(text.match(/"origin":"[^"]*"/g)).size;
  }

  private async killForAWhile(): Promise<void> {
    const { seed, seconds, kills, killEveryMs } = this.options;
    const random = seeded(seed + 1);
    const [least, most] = killEveryMs;
    for (const end = Date.now() + seconds * 1_000; Date.now() < end || this.lives.length <= kills; ) {
      await Bun.sleep(least + random.next() * (most - least));
      await this.kill();
      await Bun.sleep(random.pick([0, 0, 100, 1_200]));
      await this.start();
    }
  }

  private async kill(): Promise<void> {
    await this.sidecar.kill();
    const checkpointAt = statSync(this.checkpoint, { throwIfNoEntry: false })?.mtimeMs ?? 0;
    Object.assign(this.lives.at(-1)!, { killedAt: Date.now(), checkpointAt });
  }

  /** Lets the last collector deliver what is left, then ends it. */
  private async end(journal: readonly JournalEntry[]): Promise<void> {
    let [before, judged] = [-1, -1];
    for (let since = Date.now(); Date.now() - since < settleMs; await Bun.sleep(500)) {
      const now = this.sink.accepted.length;
      if (now !== before) since = Date.now();
      // To judge takes a while, in which nothing can be answered: not twice for the same.
      else if (now !== judged) {
        if (this.judgeHttp(journal).missing === 0) break;
        judged = now;
      }
      before = now;
    }
    const { missing, examples } = this.judgeHttp(journal);
    if (missing > 0) this.faults.push(`nothing came for ${settleMs} ms: ${examples.join("; ")}`);
    this.sidecar.signal("SIGTERM");
    const code = await this.sidecar.exited;
    for (const { message } of this.sidecar.entries.filter(({ event }) => event === "collector_cut")) {
      this.faults.push(message);
    }
    if (code !== 0) this.faults.push(`the last sidecar ended with ${code}: ${this.sidecar.errorText}`);
  }

  private async watch(): Promise<void> {
    while (this.isWatching && this.options.watch !== undefined) {
      await Bun.sleep(1_000);
      if (this.isWatching && !this.sidecar.hasEnded) this.options.watch(this.sidecar, this.sink);
    }
  }

  private judgeHttp(journal: readonly JournalEntry[]): Verdict {
    const delivered = this.sink.accepted.map(({ life, at, knownAt, body }) => ({ life, at, knownAt, bytes: body }));
    return judge(journal, this.lives, delivered, failingWaitMs);
  }

  private fromStdout(): Delivered[] {
    return this.lives.map((_, life) => {
      const text = readFileSync(join(this.pod.folder, `${life}.out`));
      // A kill may have cut the last line.
      return { life, bytes: text.subarray(0, text.lastIndexOf(10) + 1) };
    });
  }

  private outcome(journal: readonly JournalEntry[]): Outcome {
    const written = journal.filter((entry) => entry.kind === "written");
    return {
      http: this.judgeHttp(journal),
      stdout: judge(
        journal,
        this.lives,
        this.fromStdout().filter(({ bytes }) => bytes.length > 0),
        steadyWaitMs,
      ),
      lines: written.reduce((sum, { lines }) => sum + lines, 0),
      rotations: written.reduce((sum, { rotations }) => sum + rotations, 0),
      kills: this.lives.length - 1,
      requests: [...this.sink.counts].map(([outcome, count]) => `${count} ${outcome}`).join(", "),
      faults: [...this.faults, ...this.sink.faults],
    };
  }
}
