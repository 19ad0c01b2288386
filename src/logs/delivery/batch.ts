/**
 * What waits for one output: blocks in order, within a budget of memory, delivered batch by batch.
 *
 *   offer -> [ block block block ... ] -> deliver -> delivered -> acknowledged, room again
 *             closed by bytes, lines, age        \-> retry all, or some items, after a growing pause
 *                                                \-> halves, down to the one item that is rejected
 *
 * Inputs read only while there is room. A stalled output therefore stops the reading for itself, at a known amount of
 * memory; the files on disk are the buffer behind it. While one batch is under way the next gathers.
 */
import type { Batch, BatchLimits, Block, Delivery, Gauge, Lane, LogOutput, Mark, Thread } from "../../contracts.ts";
import { Backoff } from "./backoff.ts";
import { Burial } from "./burial.ts";
import type { DeadLetters } from "./dead-letters.ts";
import { Gathering, type Owner, type Waiting } from "./gathering.ts";
import { batchOf } from "./narrow.ts";
import { type Outcome, outcomeOf, rejectAll } from "./outcome.ts";
import { OutputCounters } from "./output-counters.ts";
import { Pauses } from "./pauses.ts";
import { isEmpty, isPartOf, markBefore } from "./piece.ts";
import { batchLimits, type OutputPolicy, retryPolicy } from "./policy.ts";

/** Memory that all outputs together may hold, and one of them at most. */
export const totalHeldBytes = 32 * 1024 * 1024;
export const mostHeldBytes = 8 * 1024 * 1024;
/** Read beyond a batch under way and the next one. More would only displace the memory that is in the cache. */
const aheadBytes = 256 * 1024;
/** What a block costs beyond its bytes. */
const blockOverheadBytes = 256;

type QueueThread = Pick<Thread, "clock" | "random" | "emit" | "metrics">;

export interface OutputQueueOptions {
  readonly thread: QueueThread;
  /** Aborted when nothing should be tried any more; the output has the same. */
  readonly signal: AbortSignal;
  /** Called when there is room again after there was none. */
  readonly onRoom: () => void;
}

/** One output, and what the configuration says beside it. */
export interface QueuedOutput {
  readonly name: string;
  readonly output: LogOutput;
  readonly policy?: OutputPolicy | undefined;
  readonly letters: DeadLetters;
  /** Ends this output alone: its signal is aborted with it. */
  readonly end: AbortController;
}

type Retry = Extract<Delivery, { outcome: "retry" }>;

export class OutputQueue {
  readonly name: string;
  limitBytes = mostHeldBytes;
  private readonly output: LogOutput;
  private readonly end: AbortController;
  private readonly options: OutputQueueOptions;
  private readonly limits: BatchLimits;
  private readonly gathering: Gathering;
  private readonly backoff: Backoff;
  private readonly counters: OutputCounters;
  private readonly pauses: Pauses;
  private readonly burial: Burial;
  private readonly held: Gauge;
  /** Blocks of the batch under way that are not acknowledged yet. */
  private sent: Waiting[] = [];
  /** What is left to be done of that batch, in order. */
  private left: Batch[] = [];
  private heldBytes = 0;
  private unsent = 0;
  private running: Promise<void> | undefined;
  private ageTimer: ReturnType<typeof setTimeout> | undefined;
  private isDue = false;
  private takingOver: Promise<unknown> | undefined;
  private failing = false;

  constructor({ name, output, policy = {}, letters, end }: QueuedOutput, options: OutputQueueOptions) {
    const { metrics, random, emit } = options.thread;
    this.name = name;
    this.output = output;
    this.end = end;
    this.options = options;
    this.limits = batchLimits(output.batch, policy.batch);
    this.gathering = new Gathering(this.limits);
    this.backoff = new Backoff(retryPolicy(policy.retry), random);
    this.counters = new OutputCounters(metrics, name);
    this.pauses = new Pauses(options.signal);
    this.burial = new Burial({ output: name, letters, counters: this.counters, emit, pauses: this.pauses });
    this.held = metrics.gauge("outrigger_log_held_bytes", { output: name });
  }

  /** What may still be offered, in bytes; nothing at 0 or below: memory is used up, or the next batch is waiting. */
  get room(): number {
    return Math.min(this.limitBytes - this.heldBytes, 2 * this.limits.bytes + aheadBytes - this.unsent);
  }

  /** Bytes of lines that were offered and are not done with. */
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
    const heldBytes = block.heldBytes + blockOverheadBytes;
    const sinceMs = this.options.thread.clock.now();
    this.gathering.add({ block, owner, heldBytes, sinceMs, mark: block.mark, from: block.start });
    this.hold(heldBytes);
    this.unsent += block.size;
    this.counters.offered(block);
    this.go();
  }

  /** Delivers what waits without letting it gather, from now on and without long pauses. */
  hurry(): void {
    this.pauses.hurry();
    this.go();
  }

  /** Resolves once everything was delivered or rejected, or the signal was aborted. */
  async flush(): Promise<void> {
    this.hurry();
    while (this.running !== undefined && !this.options.signal.aborted) await this.running;
  }

  /** Delivers what waits, then lets go of the output. */
  async close(): Promise<void> {
    await this.flush();
    clearTimeout(this.ageTimer);
    this.burial.close();
    try {
      await this.output.close?.();
    } catch (error) {
      this.options.thread.emit("log_output_close_failed", { output: this.name, error: String(error) });
    }
  }

  /**
   * Goes on with what another queue of this output has not delivered, before all that is offered here. A batch it had
   * under way may come twice.
   */
  async takeOver(before: OutputQueue): Promise<void> {
    this.takingOver = before.interrupt();
    await this.takingOver;
    this.sent = before.sent.splice(0);
    this.left = before.left.splice(0);
    this.gathering.putBack(before.gathering.takeAll());
    this.hold(before.heldBytes);
    this.unsent += before.unsent;
    this.counters.takeOver(before.counters);
    before.heldBytes = 0;
    before.unsent = 0;
    this.takingOver = undefined;
    this.go();
    await before.close();
  }

  private async interrupt(): Promise<void> {
    await this.takingOver;
    this.end.abort();
    while (this.running !== undefined) await this.running;
  }

  /** Sends, or sets the timer that will. */
  private go(): void {
    if (this.running !== undefined) return;
    if (this.isReady) this.running = this.run();
    else this.wait();
  }

  private get isReady(): boolean {
    if (this.takingOver !== undefined) return false;
    if (this.left.length > 0) return true;
    if (this.gathering.isEmpty) return false;
    return this.pauses.isHurried || this.isDue || this.limits.ageMs === 0 || this.gathering.isFull || this.room <= 0;
  }

  private wait(): void {
    const { dueMs } = this.gathering;
    if (this.ageTimer !== undefined || dueMs === undefined) return;
    const waitMs = Math.max(0, dueMs - this.options.thread.clock.now());
    this.ageTimer = setTimeout(() => {
      this.ageTimer = undefined;
      this.isDue = true;
      this.go();
    }, waitMs);
  }

  private async run(): Promise<void> {
    // What else is offered in this turn comes along.
    await undefined;
    while (this.isReady && !this.options.signal.aborted) {
      if (this.left.length === 0) this.take();
      else await this.attempt(this.left[0]!);
    }
    this.running = undefined;
    if (!this.options.signal.aborted) this.wait();
  }

  private take(): void {
    clearTimeout(this.ageTimer);
    this.ageTimer = undefined;
    this.isDue = false;
    this.sent = this.gathering.take();
    const blocks = this.sent.map(({ block }) => block);
    const full = blocks.filter((block) => !isEmpty(block));
    this.left = full.length === 0 ? [] : [batchOf(full)];
    for (const block of blocks) if (isEmpty(block)) this.counters.passed(block);
    this.acknowledge();
  }

  private async attempt(batch: Batch): Promise<void> {
    const delivery = await this.deliver(batch);
    if (delivery === undefined) return;
    const outcome = this.judge(batch, delivery);
    if (!(await this.burial.take(outcome.rejected))) return;
    this.counters.delivered(outcome);
    this.left.splice(0, 1, ...outcome.left);
    this.acknowledge();
    if (delivery.outcome === "retry" && outcome.left.length > 0) await this.pause(delivery);
    else this.goOn(outcome);
  }

  /** Undefined when the signal was aborted first. */
  private async deliver(batch: Batch): Promise<Delivery | undefined> {
    const { clock } = this.options.thread;
    const startMs = clock.now();
    const failed = (error: unknown): Delivery => ({ outcome: "retry", reason: String(error) });
    const delivery = (async () => this.output.deliver(batch))().catch(failed);
    const result = await this.pauses.unlessAborted(delivery);
    if (result !== undefined) this.counters.attempted((clock.now() - startMs) / 1_000);
    return result;
  }

  private judge(batch: Batch, delivery: Delivery): Outcome {
    const now = this.options.thread.clock.now();
    const outcome = outcomeOf(batch, delivery);
    if (delivery.outcome !== "retry" || outcome.left.length === 0) return outcome;
    this.backoff.failed(now);
    if ((outcome.delivered?.count ?? 0) * 2 >= batch.count) this.backoff.progressed();
    if (!this.backoff.isOver(now)) return outcome;
    const rest = outcome.left.flatMap((one) => rejectAll(one, "gave_up", delivery.reason).rejected);
    return { ...outcome, left: [], rejected: [...outcome.rejected, ...rest] };
  }

  /** Everything before the first item that is left is done. */
  private acknowledge(): void {
    const wasFull = this.room <= 0;
    const next = this.left[0]?.blocks[0];
    let done = 0;
    for (; done < this.sent.length; done++) {
      const waiting = this.sent[done]!;
      const { block, heldBytes } = waiting;
      if (next !== undefined && isPartOf(next, block)) break;
      this.hold(-heldBytes);
      this.unsent -= block.size;
      this.acknowledgeTo(waiting.mark, waiting);
      block.release?.();
    }
    this.sent.splice(0, done);
    if (next !== undefined) this.acknowledgeBefore(next);
    this.counters.balance([...this.left.flatMap(({ blocks }) => blocks), ...this.gathering.blocks]);
    if (wasFull && this.room > 0) this.options.onRoom();
  }

  /** Of a block that comes in pieces, all before the first that is left: after a kill it would come again. */
  private acknowledgeBefore(next: Block): void {
    const mark = markBefore(next);
    const [first, ...others] = this.sent;
    if (first === undefined || mark === undefined || mark.offset <= first.from) return;
    this.acknowledgeTo(mark, first);
    this.sent = [{ ...first, from: mark.offset }, ...others];
  }

  private acknowledgeTo(mark: Mark | undefined, { block, owner, from }: Waiting): void {
    if (mark === undefined) return;
    owner.acknowledged({ source: block.source, start: from, end: mark.offset, mark }, this.name);
  }

  private async pause({ reason, cause = "other", afterMs }: Retry): Promise<void> {
    this.counters.retried(cause);
    if (!this.failing) this.options.thread.emit("log_output_failing", { output: this.name, reason });
    this.failing = true;
    await this.pauses.sleep(this.backoff.pauseMs(afterMs));
  }

  /** What comes next was not tried yet. */
  private goOn({ delivered }: Outcome): void {
    this.backoff.next();
    if (delivered === undefined) return;
    this.backoff.progressed();
    if (this.failing) this.options.thread.emit("log_output_recovered", { output: this.name });
    this.failing = false;
  }

  private hold(bytes: number): void {
    this.heldBytes += bytes;
    this.held.set(this.heldBytes);
  }
}
