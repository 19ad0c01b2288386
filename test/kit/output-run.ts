/** A log output outside the pipeline: created from options as a configuration gives them, and handed batches. */
import type { Batch, Block, LogOutput, LogOutputContext, LogOutputDefinition, LogSource } from "../../src/contracts.ts";
import { logMetrics } from "../../src/logs/declarations.ts";
import { plainBlock } from "../../src/logs/plain-block.ts";
import { LineRecord, RecordBlock } from "../../src/logs/shaping/record.ts";
import { MetricsRegion } from "../../src/metrics.ts";

export const testSource: LogSource = { id: "s1", input: "app", path: "/logs/app.log", fields: {} };

/** Lines of a source, Latin-1 bytes. */
export function blockOf(text: string, start = 0, source = testSource): Block {
  return plainBlock(source, Buffer.from(text, "latin1"), start);
}

/** Records as transforms leave them. */
export function recordBlock(records: readonly Partial<LineRecord>[], source = testSource): Block {
  const made = records.map((one, at) => Object.assign(new LineRecord(source, at * 100, Buffer.from("")), one));
  return new RecordBlock(made, { source, start: 0, mark: { offset: records.length * 100 }, heldBytes: 1 });
}

export function batchOf(...blocks: (Block | string)[]): Batch {
  const all = blocks.map((one, at) => (typeof one === "string" ? blockOf(one, at * 1000) : one));
  const sum = (of: (block: Block) => number) => all.reduce((total, block) => total + of(block), 0);
  return { blocks: all, bytes: sum(({ size }) => size), count: sum(({ count }) => count) };
}

export interface OutputRunOptions {
  readonly folder?: string;
  readonly name?: string;
  readonly wall?: () => number;
  readonly stdout?: LogOutputContext["stdout"];
}

/** One output and what it said. */
export class OutputRun {
  readonly output: LogOutput;
  readonly events: { event: string; fields: Record<string, unknown> }[];
  readonly end: AbortController;
  private readonly metrics: MetricsRegion;

  private constructor(output: LogOutput, events: OutputRun["events"], end: AbortController, metrics: MetricsRegion) {
    this.output = output;
    this.events = events;
    this.end = end;
    this.metrics = metrics;
  }

  static async open<C>(definition: LogOutputDefinition<C>, options: unknown, more: OutputRunOptions = {}) {
    const { folder = "/", name = definition.name, wall = () => Date.now() } = more;
    const events: OutputRun["events"] = [];
    const end = new AbortController();
    const metrics = new MetricsRegion({ ...logMetrics, ...definition.metrics }, { strict: true });
    const context: LogOutputContext = {
      clock: { now: () => performance.now(), wall },
      random: () => 0.5,
      emit: (event, fields = {}) => void events.push({ event, fields }),
      metrics,
      record: () => true,
      name,
      folder,
      signal: end.signal,
      stdout: more.stdout ?? { write: async () => {} },
    };
    const output = await definition.create(definition.config.parse(options), context);
    return new OutputRun(output, events, end, metrics);
  }

  deliver(...blocks: (Block | string)[]) {
    return this.output.deliver(batchOf(...blocks));
  }

  count(metric: string): number {
    const series = this.metrics.series.filter(({ name }) => name === metric);
    return series.reduce((sum, { slot }) => sum + this.metrics.values[slot]!, 0);
  }

  async close(): Promise<void> {
    this.end.abort();
    await this.output.close?.();
  }
}
