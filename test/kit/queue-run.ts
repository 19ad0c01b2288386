import type { Batch, BatchLimits, Block, Delivery, LogSource } from "../../src/contracts.ts";
import { logMetrics } from "../../src/logs/declarations.ts";
import { OutputQueue } from "../../src/logs/delivery/batch.ts";
import { type DeadLetterOptions, type DeadLetters, noDeadLetters } from "../../src/logs/delivery/dead-letters.ts";
import type { OutputPolicy } from "../../src/logs/delivery/policy.ts";
import { plainBlock } from "../../src/logs/plain-block.ts";
import { LineRecord, RecordBlock } from "../../src/logs/shaping/record.ts";
import { MetricsRegion } from "../../src/metrics.ts";

interface QueueRunOptions {
  readonly batch?: Partial<BatchLimits>;
  readonly policy?: OutputPolicy;
  readonly random?: () => number;
  readonly letters?: (thread: DeadLetterOptions["thread"]) => DeadLetters;
}

/** A queue before an output that the test plays itself, fed with blocks of one source. */
export class QueueRun {
  readonly queue: OutputQueue;
  readonly events: { event: string; fields: Record<string, unknown> }[] = [];
  readonly metrics = new MetricsRegion(logMetrics, { strict: true });
  readonly abort = new AbortController();
  /** Ranges that were acknowledged, in that order. */
  readonly done: string[] = [];
  released = 0;
  rooms = 0;
  /** Set by hand. */
  nowMs = 0;
  private end = 0;

  constructor(deliver: (batch: Batch) => Promise<Delivery>, options: QueueRunOptions = {}) {
    const { batch = {}, policy = {}, random = () => 0 } = options;
    const thread = {
      clock: { now: () => this.nowMs, wall: () => 0 },
      random,
      emit: (event: string, fields: Record<string, unknown> = {}) => void this.events.push({ event, fields }),
      metrics: this.metrics,
    };
    const onRoom = () => void this.rooms++;
    const letters = options.letters?.(thread) ?? noDeadLetters;
    const output = { name: "out", output: { deliver, batch }, policy, letters, end: this.abort };
    this.queue = new OutputQueue(output, { thread, signal: this.abort.signal, onRoom });
  }

  /** Offers lines as they are, as one block. */
  offer(text: string): void {
    this.give(plainBlock(source, Buffer.from(text), this.end));
  }

  /** Offers records, one a line; a number stands for as many bytes that a rule dropped. */
  offerRecords(...lines: (string | number)[]): void {
    const start = this.end;
    let offset = start;
    let droppedBytes = 0;
    const text = Buffer.from(lines.map((line) => (typeof line === "string" ? `${line}\n` : "-".repeat(line))).join(""));
    const block = plainBlock(source, text, start);
    const records: LineRecord[] = [];
    for (const line of lines) {
      const [place, length] = [offset - start, typeof line === "string" ? line.length : line];
      if (typeof line === "string") records.push(new LineRecord(source, offset, text, place, place + length));
      else droppedBytes += length;
      offset += typeof line === "string" ? length + 1 : length;
    }
    const origin = { source, start, mark: { offset }, heldBytes: offset - start, droppedBytes, block };
    this.give(new RecordBlock(records, origin));
  }

  private give(block: Block): void {
    this.end = block.end;
    const release = () => {
      this.released++;
    };
    this.queue.offer(Object.assign(block, { release }), this);
  }

  acknowledged({ start, end }: { start: number; end: number }): void {
    this.done.push(`${start}-${end}`);
    this.onAcknowledged(end);
  }

  /** For tests that look at each acknowledgement. */
  onAcknowledged = (_end: number) => {};

  /** A counter or gauge, added up over the series that have these labels. */
  count(metric: string, labels: Record<string, string> = {}): number {
    const isWanted = (found: readonly (readonly [string, string])[]) =>
      Object.entries(labels).every(([key, value]) => Object.fromEntries(found)[key] === value);
    const series = this.metrics.series.filter((one) => one.name === metric && isWanted(one.labels));
    return series.reduce((sum, { slot }) => sum + this.metrics.values[slot]!, 0);
  }

  get said(): string[] {
    return this.events.map(({ event }) => event);
  }
}

export const source: LogSource = { id: "1", input: "i", path: "/p", fields: {} };

/** The lines of a batch. */
export function linesIn({ blocks }: Batch): string[] {
  return blocks.flatMap(({ bytes }) => Buffer.from(bytes).toString().split("\n").slice(0, -1));
}
