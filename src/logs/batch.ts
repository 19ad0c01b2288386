/**
 * What waits for one output: blocks in order, within a budget of memory, delivered batch by batch.
 *
 *   offer -> [ block block block ... ] -> deliver -> delivered | refused -> acknowledged, room again
 *                                              \-> retry after a growing pause
 *
 * Inputs read only while there is room. A stalled output therefore stops the reading for itself, at a known amount of
 * memory; the files on disk are the buffer behind it.
 */
import type { Batch, Block, Counter, Delivery, Gauge, Lane, LogInput, LogOutput, Thread } from "../contracts.ts";

/** Memory that all outputs together may hold, and one of them at most. */
export const totalHeldBytes = 32 * 1024 * 1024;
export const mostHeldBytes = 8 * 1024 * 1024;
/** What a block costs beyond its bytes. */
const blockOverheadBytes = 256;
const batchBytes = 1024 * 1024;
const firstRetryMs = 500;
const lastRetryMs = 30_000;

type QueueThread = Pick<Thread, "clock" | "random" | "emit" | "metrics">;

/** Who is told that a block is done. */
type Owner = Pick<LogInput, "acknowledged">;

interface Waiting {
  readonly block: Block;
  readonly owner: Owner;
}

export interface OutputQueueOptions {
  readonly thread: QueueThread;
  /** Aborted when nothing should be tried any more. */
  readonly signal: AbortSignal;
  /** Called when there is room again after there was none. */
  readonly onRoom: () => void;
}

export class OutputQueue {
  readonly name: string;
  limitBytes = mostHeldBytes;
  private readonly output: LogOutput;
  private readonly options: OutputQueueOptions;
  private readonly delivered: Counter;
  private readonly retries: Counter;
  private readonly held: Gauge;
  private waiting: Waiting[] = [];
  private heldBytes = 0;
  private unsent = 0;
  private running: Promise<void> | undefined;
  private retryMs = firstRetryMs;
  private failing = false;

  constructor(name: string, output: LogOutput, options: OutputQueueOptions) {
    const { metrics } = options.thread;
    this.name = name;
    this.output = output;
    this.options = options;
    this.delivered = metrics.counter("outrigger_log_acknowledged_bytes_total", { output: name });
    this.retries = metrics.counter("outrigger_log_output_retries_total", { output: name });
    this.held = metrics.gauge("outrigger_log_held_bytes", { output: name });
  }

  /** Memory that may still be taken; at 0 or below nothing is to be offered. */
  get room(): number {
    return this.limitBytes - this.heldBytes;
  }

  /** Bytes of lines that were offered and neither delivered nor refused. */
  get unsentBytes(): number {
    return this.unsent;
  }

  /** The way of `owner` to this output. */
  lane(owner: () => Owner): Lane {
    const queue = this;
    return {
      output: this.name,
      get room() {
        return queue.room;
      },
      offer: (block) => queue.offer(block, owner()),
    };
  }

  offer(block: Block, owner: Owner): void {
    this.waiting.push({ block, owner });
    this.hold(block.heldBytes + blockOverheadBytes);
    this.unsent += block.size;
    this.running ??= this.run();
  }

  /** Resolves once everything was delivered or refused, or the signal was aborted. */
  async flush(): Promise<void> {
    while (this.running !== undefined && !this.options.signal.aborted) await this.running;
  }

  /** Delivers what waits, then lets go of the output. */
  async close(): Promise<void> {
    await this.flush();
    await this.output.close?.();
  }

  private async run(): Promise<void> {
    let batch: Batch | undefined;
    while (this.waiting.length > 0 && !this.options.signal.aborted) {
      batch ??= this.nextBatch();
      const delivery = await this.attempt(batch);
      if (delivery === undefined) break;
      if (delivery.outcome === "retry") await this.pause(delivery);
      else {
        this.complete(batch.blocks.length, delivery);
        batch = undefined;
      }
    }
    this.running = undefined;
  }

  private nextBatch(): Batch {
    const most = this.output.batch?.bytes ?? batchBytes;
    const blocks: Block[] = [];
    let bytes = 0;
    let count = 0;
    for (const { block } of this.waiting) {
      if (blocks.length > 0 && bytes + block.size > most) break;
      blocks.push(block);
      bytes += block.size;
      count += block.count;
    }
    return { blocks, bytes, count };
  }

  /** Undefined when the signal was aborted first. */
  private attempt(batch: Batch): Promise<Delivery | undefined> {
    const failed = (error: unknown): Delivery => ({ outcome: "retry", reason: String(error) });
    const delivery = (async () => this.output.deliver(batch))().catch(failed);
    const { signal } = this.options;
    if (signal.aborted) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      const abort = () => resolve(undefined);
      signal.addEventListener("abort", abort, { once: true });
      void delivery.then((result) => {
        signal.removeEventListener("abort", abort);
        resolve(result);
      });
    });
  }

  private complete(count: number, delivery: Delivery): void {
    const done = this.waiting.slice(0, count);
    this.waiting = this.waiting.slice(count);
    const wasFull = this.room <= 0;
    if (delivery.outcome === "refused" || delivery.outcome === "tooLarge") this.refuse(done, delivery.reason);
    this.recover();
    for (const { block, owner } of done) {
      this.hold(-block.heldBytes - blockOverheadBytes);
      this.unsent -= block.size;
      if (delivery.outcome === "delivered") this.delivered.add(block.end - block.start);
      owner.acknowledged(block, this.name);
      block.release?.();
    }
    if (wasFull && this.room > 0) this.options.onRoom();
  }

  private refuse(done: readonly Waiting[], reason: string): void {
    const bytes = done.reduce((sum, { block }) => sum + block.end - block.start, 0);
    this.options.thread.metrics.counter("outrigger_log_refused_bytes_total", { output: this.name }).add(bytes);
    this.options.thread.emit("log_batch_refused", { output: this.name, bytes, reason });
  }

  private async pause({ reason, afterMs }: { reason: string; afterMs?: number }): Promise<void> {
    this.retries.add(1);
    if (!this.failing) this.options.thread.emit("log_output_failing", { output: this.name, reason });
    this.failing = true;
    const waitMs = afterMs ?? this.retryMs * (0.5 + this.options.thread.random() / 2);
    this.retryMs = Math.min(this.retryMs * 2, lastRetryMs);
    await abortableSleep(waitMs, this.options.signal);
  }

  private recover(): void {
    this.retryMs = firstRetryMs;
    if (this.failing) this.options.thread.emit("log_output_recovered", { output: this.name });
    this.failing = false;
  }

  private hold(bytes: number): void {
    this.heldBytes += bytes;
    this.held.set(this.heldBytes);
  }
}

function abortableSleep(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
