/** A transform made from its options as the configuration has them, and what it does with lines. */
import type { LogRecord, LogTransformDefinition, RecordTransform, Severity } from "../../src/contracts.ts";
import { LineRecord } from "../../src/logs/shaping/record.ts";
import { MetricsRegion, spineMetrics } from "../../src/metrics.ts";

export const source = { id: "s1", input: "app", path: "/log/a.log", fields: {} };

export interface RecordWish {
  fields?: Record<string, unknown>;
  severity?: Severity;
  time?: bigint;
  offset?: number;
  id?: string;
}

/** A record of this text; `fields` makes it a parsed one. */
export function record(text: string, { fields, severity, time, offset = 0, id = "s1" }: RecordWish = {}): LogRecord {
  const made: LogRecord = new LineRecord({ ...source, id }, offset, Buffer.from(text));
  made.fields = fields;
  made.severity = severity;
  made.time = time;
  return made;
}

/** A record whose text is that JSON. */
export function parsed(text: string, wish: RecordWish = {}): LogRecord {
  return record(text, { ...wish, fields: JSON.parse(text) });
}

export class TransformRun {
  readonly metrics: MetricsRegion;
  private readonly transform: RecordTransform;

  private constructor(transform: RecordTransform, metrics: MetricsRegion) {
    this.transform = transform;
    this.metrics = metrics;
  }

  /** Rejects with what is wrong with the options. */
  static async make<C>(definition: LogTransformDefinition<C>, options: unknown): Promise<TransformRun> {
    const metrics = new MetricsRegion({ ...spineMetrics, ...definition.metrics }, { strict: true });
    const config = definition.config.parse(options);
    const made = await definition.create(config, {
      clock: { now: () => 0, wall: () => 0 },
      random: () => 0.5,
      emit: () => {},
      metrics,
      record: () => false,
      input: "app",
      transform: definition.name,
    });
    if (!("apply" in made)) throw new TypeError("a transform of single records is expected");
    return new TransformRun(made, metrics);
  }

  /** The record as it is afterwards; undefined when it was left out. */
  apply(one: LogRecord): LogRecord | undefined {
    return this.transform.apply(one) ? one : undefined;
  }

  keeps(one: LogRecord): boolean {
    return this.apply(one) !== undefined;
  }

  /** Counters of that name by the value of their last label. */
  counts(name: string): Record<string, number> {
    const series = this.metrics.series.filter((one) => one.name === name);
    return Object.fromEntries(series.map(({ labels, slot }) => [labels.at(-1)![1], this.metrics.values[slot]!]));
  }
}

/** What a mistake in the options is told as. */
export function mistake<C>(definition: LogTransformDefinition<C>, options: unknown): string {
  const result = definition.config.safeParse(options);
  return result.success ? "" : JSON.stringify(result.error.issues);
}
