import { afterEach, beforeEach } from "bun:test";
import { appendFileSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Block, Lane, LogInputContext, Thread } from "../../src/contracts.ts";
import { logMetrics } from "../../src/logs/declarations.ts";
import { Archives } from "../../src/logs/following/archives/archives.ts";
import { Follower, type FollowOptions } from "../../src/logs/following/follow.ts";
import type { Following } from "../../src/logs/following/following.ts";
import { CheckpointFile, prepareFolder } from "../../src/logs/keeping/checkpoint.ts";
import { MetricsRegion } from "../../src/metrics.ts";

interface StartOptions extends Partial<Pick<FollowOptions, "from" | "encoding" | "maxLine" | "hold">> {
  exclude?: string[];
  archives?: boolean;
  outputs?: string[];
  /** Entry name, for runs with several. */
  name?: string;
}

/** An output that takes what it is offered, while it has room. */
export class FakeOutput {
  readonly name: string;
  room = Number.MAX_SAFE_INTEGER;
  text = "";
  readonly offered: Block[] = [];

  constructor(name: string) {
    this.name = name;
  }

  lane(): Lane {
    const output = this;
    return {
      output: this.name,
      get room() {
        return output.room;
      },
      offer(block) {
        output.offered.push(block);
        output.text += Buffer.from(block.bytes).toString("latin1");
      },
    };
  }
}

/** Gives each test of a file a run of its own, and removes it behind the test. */
export function followInEachTest(take: (run: FollowRun) => void): void {
  let run: FollowRun;
  beforeEach(() => {
    run = new FollowRun();
    take(run);
  });
  afterEach(() => run.remove());
}

/** Follows real files with a clock that the test moves; every turn is taken by hand, so nothing depends on timing. */
export class FollowRun {
  readonly folder = mkdtempSync(join(tmpdir(), "follow-"));
  readonly logs = join(this.folder, "logs");
  readonly events: { event: string; fields: Record<string, unknown> }[] = [];
  readonly metrics = new MetricsRegion(logMetrics, { strict: true });
  outputs = new Map<string, FakeOutput>();
  acknowledges = true;
  /** How far somebody has set the wall clock wrong. */
  wallAheadMs = 0;
  follower!: Follower;
  checkpoint!: CheckpointFile;
  private nowMs = 0;
  private ids = 0;

  constructor() {
    mkdirSync(this.logs);
  }

  /** What the output `stdout` was given since the last start. */
  get text(): string {
    return this.output("stdout").text;
  }

  output(name: string): FakeOutput {
    const found = this.outputs.get(name);
    if (found === undefined) throw new Error(`no output ${name}`);
    return found;
  }

  path(name: string): string {
    return join(this.logs, name);
  }

  write(name: string, text: string | Uint8Array): void {
    writeFileSync(this.path(name), text);
  }

  append(name: string, text: string | Uint8Array): void {
    appendFileSync(this.path(name), text);
  }

  rename(from: string, to: string): void {
    renameSync(this.path(from), this.path(to));
  }

  start(patterns: string[], options: StartOptions = {}): void {
    this.checkpoint = CheckpointFile.open(prepareFolder(join(this.folder, "state")), this.thread());
    this.follower = this.make(patterns, options);
  }

  /** A further entry on the same checkpoint. */
  make(
    patterns: string[],
    {
      exclude = [],
      from = "beginning",
      outputs = ["stdout"],
      name = "files",
      archives = false,
      ...reading
    }: StartOptions,
  ): Follower {
    for (const output of outputs) this.outputs.set(output, this.outputs.get(output) ?? new FakeOutput(output));
    const lanes = outputs.map((output) => this.output(output).lane());
    const context: LogInputContext = {
      ...this.thread(),
      name,
      folder: this.logs,
      stateFolder: join(this.folder, "state"),
      fields: {},
      lanes,
      checkpoint: this.checkpoint,
    };
    const paths = patterns.map((pattern) => (pattern.startsWith("/") ? pattern : this.path(pattern)));
    const reader = archives ? (following: Following) => new Archives(following) : undefined;
    return new Follower({ paths, exclude, from, archives: reader, ...reading }, context);
  }

  /** Lets time pass, then takes turns until there is nothing more to read now. */
  step(ms = 1_000): void {
    this.nowMs += ms;
    this.turns(this.follower);
  }

  /** Lets time pass, and nothing else. */
  pass(ms: number): void {
    this.nowMs += ms;
  }

  /** Lets time pass and takes one turn. */
  turn(ms: number): void {
    this.nowMs += ms;
    this.follower.turn();
    if (this.acknowledges) this.acknowledge();
  }

  /** Several steps of one second. */
  steps(count: number): void {
    for (let i = 0; i < count; i++) this.step();
  }

  turns(follower: Follower): void {
    for (let count = 0; count < 10_000; count++) {
      const waitMs = follower.turn();
      if (this.acknowledges) this.acknowledge(follower);
      if (waitMs > 0) return;
    }
    throw new Error("the input never came to an end");
  }

  acknowledge(follower = this.follower): void {
    for (const output of this.outputs.values()) {
      for (const block of output.offered.splice(0)) follower.acknowledged(block, output.name);
    }
  }

  /** Ends as a stop does, or as SIGKILL does: without a last checkpoint. */
  end({ killed = false } = {}): void {
    if (!killed) this.checkpoint.write();
    this.follower.close();
    this.outputs = new Map();
  }

  restart(patterns: string[], options: StartOptions & { killed?: boolean } = {}): void {
    this.end(options);
    this.start(patterns, options);
  }

  count(metric: string, labels: Record<string, string>): number {
    const series = this.metrics.series.filter(
      ({ name, labels: found }) =>
        name === metric && Object.entries(labels).every(([key, value]) => Object.fromEntries(found)[key] === value),
    );
    return series.reduce((sum, { slot }) => sum + this.metrics.values[slot]!, 0);
  }

  said(event: string): Record<string, unknown>[] {
    return this.events.filter((one) => one.event === event).map(({ fields }) => fields);
  }

  remove(): void {
    this.follower.close();
    rmSync(this.folder, { recursive: true, force: true });
  }

  private thread(): Thread {
    return {
      // Times of files are the machine's, so the wall clock is too.
      clock: { now: () => this.nowMs, wall: () => Date.now() + this.wallAheadMs },
      random: () => (++this.ids % 1000) / 1000,
      emit: (event, fields = {}) => void this.events.push({ event, fields }),
      metrics: this.metrics,
      record: () => false,
    };
  }
}
