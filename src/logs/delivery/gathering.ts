/** Blocks that wait to be sent, oldest first, until they are enough for a batch or the oldest has waited long enough. */
import type { BatchLimits, Block, LogInput, Mark } from "../../contracts.ts";
import { splitAt } from "./narrow.ts";
import { markBefore } from "./piece.ts";

/** Who is told that a block is done. */
export type Owner = Pick<LogInput, "acknowledged">;

/** One block on its way through a queue. */
export interface Waiting {
  readonly block: Block;
  readonly owner: Owner;
  /** Memory that is free again once it is acknowledged. */
  readonly heldBytes: number;
  readonly sinceMs: number;
  /** What is acknowledged once it is done; undefined for a part of a block that ends where its input knows no place. */
  readonly mark: Mark | undefined;
  /** Offset up to which that was said already. */
  readonly from: number;
}

export class Gathering {
  private readonly limits: BatchLimits;
  private waiting: Waiting[] = [];
  private bytes = 0;
  private count = 0;

  constructor(limits: BatchLimits) {
    this.limits = limits;
  }

  get isEmpty(): boolean {
    return this.waiting.length === 0;
  }

  get blocks(): readonly Block[] {
    return this.waiting.map(({ block }) => block);
  }

  /** True when no more fits the next batch. */
  get isFull(): boolean {
    return this.bytes >= this.limits.bytes || this.count >= this.limits.lines;
  }

  /** When the oldest block will have waited long enough; undefined when nothing waits. */
  get dueMs(): number | undefined {
    const oldest = this.waiting[0];
    return oldest === undefined ? undefined : oldest.sinceMs + this.limits.ageMs;
  }

  add(one: Waiting): void {
    this.waiting.push(one);
    this.bytes += one.block.size;
    this.count += one.block.count;
  }

  /** Blocks for a batch: one at least. Only a limit on lines cuts a block. */
  take(): Waiting[] {
    const { waiting, limits } = this;
    let bytes = 0;
    let count = 0;
    let taken = 0;
    for (; taken < waiting.length; taken++) {
      const { block } = waiting[taken]!;
      if (taken > 0 && bytes + block.size > limits.bytes) break;
      if (count + block.count > limits.lines) {
        if (count < limits.lines) this.cut(taken++, limits.lines - count);
        break;
      }
      bytes += block.size;
      count += block.count;
    }
    const batch = waiting.splice(0, taken);
    for (const { block } of batch) {
      this.bytes -= block.size;
      this.count -= block.count;
    }
    return batch;
  }

  /** Blocks that come before all others. */
  putBack(before: readonly Waiting[]): void {
    const behind = this.takeAll();
    for (const one of [...before, ...behind]) this.add(one);
  }

  /** Everything, for another queue. */
  takeAll(): Waiting[] {
    this.bytes = 0;
    this.count = 0;
    return this.waiting.splice(0);
  }

  /** What one block took up, two take up now: the memory stays taken until the second is done. */
  private cut(at: number, lines: number): void {
    const one = this.waiting[at]!;
    const [head, rest] = splitAt(one.block, lines);
    const mark = markBefore(rest);
    const from = mark?.offset ?? one.from;
    this.waiting.splice(at, 1, { ...one, block: head, heldBytes: 0, mark }, { ...one, block: rest, from });
  }
}
