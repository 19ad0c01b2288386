/** Brings rejected items to the dead letters, however long that takes, and says so. */
import type { Thread } from "../../contracts.ts";
import type { DeadLetters } from "./dead-letters.ts";
import type { Rejected } from "./outcome.ts";
import type { OutputCounters } from "./output-counters.ts";
import type { Pauses } from "./pauses.ts";
import { sourceBytesOf } from "./piece.ts";

const retryMs = 5_000;

export interface BurialOptions {
  readonly output: string;
  readonly letters: DeadLetters;
  readonly counters: OutputCounters;
  readonly emit: Thread["emit"];
  readonly pauses: Pauses;
}

export class Burial {
  private readonly options: BurialOptions;
  private failing = false;

  constructor(options: BurialOptions) {
    this.options = options;
  }

  /**
   * Resolves with true once all of them are kept. While they cannot be, as on a full disk, it tries again every 5 s:
   * rather than lose them, the output waits. False when it had to be given up; nothing is acknowledged then.
   */
  async take(items: readonly Rejected[]): Promise<boolean> {
    for (let at = 0; at < items.length; ) {
      const kept = this.keep(items.slice(at));
      at += kept;
      if (kept === 0 && !(await this.options.pauses.sleep(retryMs))) return false;
    }
    if (items.length > 0) this.tell(items);
    return true;
  }

  close(): void {
    this.options.letters.close();
  }

  private keep(items: readonly Rejected[]): number {
    const { letters, counters } = this.options;
    try {
      const kept = letters.keep(items);
      counters.rejected(items.slice(0, kept), letters.file !== undefined);
      this.failing = false;
      return kept;
    } catch (error) {
      this.failed((error as NodeJS.ErrnoException).code ?? String(error));
      return 0;
    }
  }

  private failed(error: string): void {
    const { output, letters, counters, emit } = this.options;
    counters.deadLettersFailed();
    if (!this.failing) emit("log_dead_letters_failed", { output, file: letters.file, error });
    this.failing = true;
  }

  private tell(items: readonly Rejected[]): void {
    const { output, letters, emit } = this.options;
    const bytes = items.reduce((sum, { block }) => sum + sourceBytesOf(block), 0);
    const fate = letters.file === undefined ? "they are discarded" : `they are in ${letters.file}`;
    const { cause, reason } = items[0]!;
    emit("log_lines_rejected", { output, lines: items.length, bytes, cause, reason, fate });
  }
}
