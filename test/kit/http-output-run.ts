/** An output over HTTP that delivers to a sink of the test's, without the rest of the log engine. */
import { expect } from "bun:test";
import type { LogOutput, LogOutputDefinition, LogSource } from "../../src/contracts.ts";
import { logMetrics } from "../../src/logs/declarations.ts";
import { MetricsRegion, type Series } from "../../src/metrics.ts";
import { HttpSink } from "./http-sink.ts";
import { testSource } from "./output-run.ts";

/** A source as the test needs it. */
export function sourceOf(more: Partial<LogSource> = {}): LogSource {
  return { ...testSource, ...more };
}

export class HttpOutputRun {
  sink = new HttpSink();
  end = new AbortController();
  metrics = new MetricsRegion(logMetrics, { strict: true });
  readonly events: { event: string; fields: Record<string, unknown> | undefined }[] = [];
  /** Milliseconds since the epoch. */
  wall = 0;
  private readonly definition: LogOutputDefinition;
  private readonly outputs: LogOutput[] = [];

  constructor(definition: LogOutputDefinition) {
    this.definition = definition;
  }

  async open(options: object = {}): Promise<LogOutput> {
    const { definition, events } = this;
    const output = await definition.create(definition.config.parse({ url: this.sink.url, ...options }), {
      clock: { now: () => performance.now(), wall: () => this.wall },
      random: () => 0.5,
      emit: (event, fields) => events.push({ event, fields }),
      metrics: this.metrics,
      record: () => true,
      name: "test",
      folder: ".",
      signal: this.end.signal,
      stdout: { write: async () => {} },
    });
    this.outputs.push(output);
    return output;
  }

  /** What a counter of this output has counted. */
  count(name: string, labels: Record<string, string> = {}): number {
    const wanted: Record<string, string> = { output: "test", ...labels };
    const isIt = (series: Series) =>
      series.name === name && series.labels.every(([label, value]) => wanted[label] === value);
    const found = this.metrics.series.find(isIt);
    return found === undefined ? 0 : this.metrics.values[found.slot]!;
  }

  /** After each test. */
  async stop(): Promise<void> {
    for (const output of this.outputs.splice(0)) await output.close?.();
    this.sink.stop();
    expect(this.sink.faults).toEqual([]);
    this.sink = new HttpSink();
    this.end = new AbortController();
    this.metrics = new MetricsRegion(logMetrics, { strict: true });
    this.events.length = 0;
    this.wall = 0;
  }
}
