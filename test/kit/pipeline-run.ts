import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as z from "zod";
import { systemClock } from "../../src/clock.ts";
import type { LogOutput, LogOutputDefinition, Thread } from "../../src/contracts.ts";
import { defineLogOutput } from "../../src/contracts.ts";
import files from "../../src/log-inputs/files.ts";
import stdout from "../../src/log-outputs/stdout.ts";
import { Pipeline } from "../../src/logs/pipeline.ts";
import { RecordRing } from "../../src/logs/record-ring.ts";
import { Records } from "../../src/logs/records.ts";
import type { LogEntry } from "../../src/logs/routes.ts";
import { MetricsRegion, spineMetrics } from "../../src/metrics.ts";
import { logTransforms } from "../../src/registry.gen.ts";

/** Stands for fd 1: keeps what it is given, and takes nothing while it is stalled. */
export class FakeStdout {
  text = "";
  private open: Promise<void> = Promise.resolve();
  private release = () => {};

  stall(): void {
    ({ promise: this.open, resolve: this.release } = Promise.withResolvers<void>());
  }

  resume(): void {
    this.release();
  }

  async write(bytes: Uint8Array): Promise<void> {
    await this.open;
    this.text += Buffer.from(bytes).toString("latin1");
  }
}

/** A pipeline in this thread, on real files and the machine's clock. */
export class PipelineRun {
  readonly folder = mkdtempSync(join(tmpdir(), "pipeline-"));
  readonly logs = join(this.folder, "logs");
  readonly stdout = new FakeStdout();
  readonly events: { event: string; fields: Record<string, unknown> }[] = [];
  readonly metrics = new MetricsRegion(spineMetrics, { strict: true });
  readonly rings = { access: ring(), schedule: ring() };
  /** Of threads that carry traffic beside main. */
  readonly otherRings = [ring(), ring()] as const;
  /** What the output `other` does with a batch. */
  other: LogOutput = { deliver: async () => ({ outcome: "delivered" }) };
  /** Aborted when the output `other` that was made last is to end. */
  otherSignal: AbortSignal | undefined;
  pipeline!: Pipeline;

  constructor() {
    mkdirSync(this.logs);
  }

  path(name: string): string {
    return join(this.logs, name);
  }

  entry(
    paths: string[],
    outputs: string[] = ["stdout"],
    name = "files",
    transforms: LogEntry["transforms"] = [],
  ): LogEntry {
    return {
      name,
      transforms,
      input: { use: "files", options: { paths, exclude: [], from: "beginning" } },
      outputs: outputs.map((output) => ({ name: output, use: output, options: {} })),
    };
  }

  async start(...entries: LogEntry[]): Promise<void> {
    const other: LogOutputDefinition = defineLogOutput({
      name: "other",
      doc: "For tests.",
      config: z.unknown(),
      create: (_, { signal }) => {
        this.otherSignal = signal;
        return this.other;
      },
    });
    this.pipeline = await Pipeline.start({
      logs: entries,
      stateFolder: join(this.folder, "state"),
      folder: this.logs,
      thread: this.thread(),
      registry: {
        logInputs: { files: async () => ({ default: files }) },
        logTransforms,
        logOutputs: { stdout: async () => ({ default: stdout }), other: async () => ({ default: other }) },
      },
      stdout: this.stdout,
      records: new Records(this.rings, this.otherRings),
    });
  }

  async remove(): Promise<void> {
    this.stdout.resume();
    await this.pipeline.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  thread(): Thread {
    return {
      clock: systemClock,
      random: Math.random,
      emit: (event, fields = {}) => void this.events.push({ event, fields }),
      metrics: this.metrics,
      record: () => false,
    };
  }
}

function ring(): RecordRing {
  return new RecordRing(RecordRing.allocate(64 * 1024));
}
