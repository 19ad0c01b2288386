/**
 * What one output counts, and the proof that nothing of it goes astray:
 *
 *   offered = acknowledged + dropped by rule + dead-lettered + discarded + waiting
 *
 * in bytes of the source. What waits is not calculated from the rest but added up over the blocks that are there, so
 * that an item lost on the way through the queue shows as an imbalance.
 */
import type { Block, Counter, Gauge, Histogram, Metrics, RetryCause } from "../../contracts.ts";
import type { Outcome, Rejected } from "./outcome.ts";
import { sourceBytesOf } from "./piece.ts";

export class OutputCounters {
  private readonly metrics: Metrics;
  private readonly labels: { readonly output: string };
  private readonly offeredBytes: Counter;
  private readonly acknowledgedBytes: Counter;
  private readonly droppedBytes: Counter;
  private readonly batches: Counter;
  private readonly items: Counter;
  private readonly seconds: Histogram;
  private readonly waitingBytes: Gauge;
  private readonly imbalance: Gauge;
  /** Offered, and neither dropped nor settled: what should be waiting. */
  private open = 0;

  constructor(metrics: Metrics, output: string) {
    const labels = { output };
    this.metrics = metrics;
    this.labels = labels;
    this.offeredBytes = metrics.counter("outrigger_log_offered_bytes_total", labels);
    this.acknowledgedBytes = metrics.counter("outrigger_log_acknowledged_bytes_total", labels);
    this.droppedBytes = metrics.counter("outrigger_log_dropped_bytes_total", labels);
    this.batches = metrics.counter("outrigger_log_deliveries_total", labels);
    this.items = metrics.counter("outrigger_log_delivered_items_total", labels);
    this.seconds = metrics.histogram("outrigger_log_delivery_duration_seconds", labels);
    this.waitingBytes = metrics.gauge("outrigger_log_waiting_bytes", labels);
    this.imbalance = metrics.gauge("outrigger_log_ledger_imbalance_bytes", labels);
  }

  offered(block: Block): void {
    const kept = sourceBytesOf(block);
    this.offeredBytes.add(block.end - block.start);
    this.droppedBytes.add(block.droppedBytes ?? 0);
    this.open += kept;
    this.waitingBytes.add(kept);
  }

  /** One call of `deliver`, however it ended. */
  attempted(seconds: number): void {
    this.batches.add(1);
    this.seconds.observe(seconds);
  }

  retried(cause: RetryCause): void {
    this.metrics.counter("outrigger_log_output_retries_total", { ...this.labels, cause }).add(1);
  }

  delivered({ delivered }: Outcome): void {
    if (delivered === undefined) return;
    const bytes = sumOf(delivered.blocks);
    this.acknowledgedBytes.add(bytes);
    this.items.add(delivered.count);
    this.open -= bytes;
  }

  /** They are in the dead letters, or are discarded because there are none. */
  rejected(items: readonly Rejected[], isKept: boolean): void {
    const name = isKept ? "outrigger_log_dead_lettered_bytes_total" : "outrigger_log_discarded_bytes_total";
    for (const { block, cause } of items) {
      const bytes = sourceBytesOf(block);
      this.metrics.counter(name, { ...this.labels, cause }).add(bytes);
      this.open -= bytes;
    }
  }

  deadLettersFailed(): void {
    this.metrics.counter("outrigger_log_dead_letter_failures_total", this.labels).add(1);
  }

  /** A block of which nothing had to be delivered is done. */
  passed(block: Block): void {
    const bytes = sourceBytesOf(block);
    this.acknowledgedBytes.add(bytes);
    this.open -= bytes;
  }

  /** Another queue goes on with what waited here. */
  takeOver(before: OutputCounters): void {
    this.open += before.open;
    before.open = 0;
  }

  /** Says what is there. */
  balance(waiting: Iterable<Block>): void {
    const bytes = sumOf(waiting);
    this.waitingBytes.set(bytes);
    this.imbalance.set(this.open - bytes);
  }
}

function sumOf(blocks: Iterable<Block>): number {
  let bytes = 0;
  for (const block of blocks) bytes += sourceBytesOf(block);
  return bytes;
}
