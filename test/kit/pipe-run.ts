import { closeSync, constants, mkdtempSync, openSync, readdirSync, rmSync, statSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { LogInputContext } from "../../src/contracts.ts";
import { logMetrics } from "../../src/logs/declarations.ts";
import { PipeInput, type PipeOptions } from "../../src/logs/following/pipe/pipe-input.ts";
import { CheckpointFile, prepareFolder } from "../../src/logs/keeping/checkpoint.ts";
import { MetricsRegion } from "../../src/metrics.ts";
import { FakeOutput } from "./follow-run.ts";

/** A named pipe, its input, and writers of ours; turns are taken by hand and the clock is the test's. */
export class PipeRun {
  readonly folder = mkdtempSync(join(tmpdir(), "pipe-"));
  readonly path = join(this.folder, "app.fifo");
  readonly spool = join(this.folder, "pipes", "app");
  readonly events: { event: string; fields: Record<string, unknown> }[] = [];
  readonly metrics = new MetricsRegion(logMetrics, { strict: true });
  readonly options: PipeOptions;
  outputs = [new FakeOutput("out")];
  checkpoint!: CheckpointFile;
  acknowledges = true;
  private input: PipeInput | undefined;
  private now = 0;
  private readonly fds: number[] = [];

  constructor(options: Partial<PipeOptions> = {}) {
    this.options = { path: this.path, mode: 0o622, spool: 1024 ** 2, maxLine: 16 * 1024, ...options };
  }

  get text(): string {
    return this.outputs[0]!.text;
  }

  async start(outputs = ["out"]): Promise<this> {
    this.outputs = outputs.map((name) => new FakeOutput(name));
    const thread = {
      clock: { now: () => this.now, wall: () => Date.now() },
      random: Math.random,
      emit: (event: string, fields = {}) => void this.events.push({ event, fields }),
      metrics: this.metrics,
      record: () => false,
    };
    this.checkpoint = CheckpointFile.open(prepareFolder(this.folder), thread);
    const lanes = this.outputs.map((output) => output.lane());
    const where = { name: "app", folder: this.folder, stateFolder: this.folder, fields: {} };
    const context: LogInputContext = { ...thread, ...where, lanes, checkpoint: this.checkpoint };
    this.input = PipeInput.open(this.options, context);
    return this;
  }

  private get started(): PipeInput {
    if (this.input === undefined) throw new Error("not started");
    return this.input;
  }

  /** A writer; what it cannot write at once is not written. */
  writer(): { write(text: string | Uint8Array): number; close(): void } {
    const fd = openSync(this.path, constants.O_WRONLY | constants.O_NONBLOCK);
    this.fds.push(fd);
    return {
      write: (text) => {
        try {
          return writeSync(fd, Buffer.from(text));
        } catch (error) {
          if ((error as NodeJS.ErrnoException).code !== "EAGAIN") throw error;
          return 0;
        }
      },
      close: () => closeSync(this.fds.splice(this.fds.indexOf(fd), 1)[0]!),
    };
  }

  /** Turns until nothing is left to do now. */
  step(ms = 100): void {
    this.now += ms;
    for (let turns = 0; turns < 1_000; turns++) {
      const waitMs = this.started.turn();
      if (this.acknowledges) this.acknowledge();
      if (waitMs > 0) return;
    }
    throw new Error("the input never came to an end");
  }

  steps(count: number, ms = 1_000): void {
    for (let i = 0; i < count; i++) this.step(ms);
  }

  acknowledge(): void {
    for (const output of this.outputs) {
      for (const block of output.offered.splice(0)) this.started.acknowledged(block, output.name);
    }
  }

  /** Writes all of it, taking turns whenever the pipe is full. */
  feed(text: string): void {
    const { write, close } = this.writer();
    const bytes = Buffer.from(text);
    for (let at = 0, idle = 0; at < bytes.length && idle < 100; ) {
      const taken = write(bytes.subarray(at));
      idle = taken === 0 ? idle + 1 : 0;
      at += taken;
      this.step(10);
    }
    close();
  }

  unread(): number {
    return this.started.unread();
  }

  paths(): string[] {
    return this.started.state().map(({ path }) => path);
  }

  /** As a stop does, or as SIGKILL does: without a last checkpoint, and nothing is closed in order. */
  end({ killed = false } = {}): void {
    if (killed) return;
    this.started.close();
    this.checkpoint.write();
  }

  spoolBytes(): number {
    return readdirSync(this.spool).reduce((sum, name) => sum + statSync(join(this.spool, name)).size, 0);
  }

  said(event: string): Record<string, unknown>[] {
    return this.events.filter((one) => one.event === event).map(({ fields }) => fields);
  }

  count(metric: string): number {
    const series = this.metrics.series.filter(({ name }) => name === metric);
    return series.reduce((sum, { slot }) => sum + this.metrics.values[slot]!, 0);
  }

  remove(): void {
    for (const fd of this.fds) closeSync(fd);
    this.input?.close();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
