/** Where log lines go: the shape of log-outputs/. */
import type { Awaitable, DropInDefinition, Thread } from "../contracts.ts";
import type { Batch } from "./lines.ts";

/** One item of a batch that the destination will never take. It goes to the dead letters. */
export interface Rejection {
  /** Number of the line or record within the batch. */
  readonly item: number;
  /** In the destination's own words, where it says something. */
  readonly reason: string;
}

/**
 * Why a batch comes again, as metrics tell it: the destination asked for fewer (429), is not well (5xx), cannot be
 * reached, did not answer in time, does not let us in (401, 403), or something else.
 */
export type RetryCause = "throttled" | "unavailable" | "unreachable" | "timeout" | "forbidden" | "other";

/**
 * What became of a batch; only what is settled moves the checkpoint.
 *
 * - `delivered`: the destination has it for good, but for items it rejected.
 * - `retry`: it comes again after `afterMs` (what the destination asked for) or a growing pause: whole, or only the
 *   items of `only`, while all others are delivered or rejected.
 * - `refused`: the destination will never take this batch. The queue halves it to find out which items are meant.
 * - `tooLarge`: it comes again in halves; an item that is too large alone is rejected.
 *
 * A `deliver` that throws is a retry.
 */
export type Delivery =
  | { readonly outcome: "delivered"; readonly rejected?: readonly Rejection[] }
  | {
      readonly outcome: "retry";
      readonly reason: string;
      /** Default: `other`. */
      readonly cause?: RetryCause;
      readonly afterMs?: number;
      readonly only?: readonly number[];
      readonly rejected?: readonly Rejection[];
    }
  | { readonly outcome: "refused"; readonly reason: string }
  | { readonly outcome: "tooLarge"; readonly reason: string };

/** When a batch is closed: at the first of the three. */
export interface BatchLimits {
  /** Bytes of lines; one block may be larger. */
  readonly bytes: number;
  /** Lines or records; one block may have more. */
  readonly lines: number;
  /** Age of the oldest block, in milliseconds; 0 delivers what there is. */
  readonly ageMs: number;
}

/** Where lines go. */
export interface LogOutput {
  /** Called with the next batch only after the one before has been settled. Must keep the order of blocks. */
  deliver(batch: Batch): Promise<Delivery>;
  /** What suits the destination where the configuration says nothing. Default: 1 MiB, any number of lines, no age. */
  readonly batch?: Partial<BatchLimits>;
  /** Frees what `create` took. Called once, with no batch under way or after `signal` was aborted. */
  close?(): Awaitable<void>;
}

export interface LogOutputContext extends Thread {
  /** The output's name: unique, part of the checkpoint's key. */
  readonly name: string;
  /** The folder relative paths start from. */
  readonly folder: string;
  /** Aborted when the time for draining is over: a batch under way should give up. */
  readonly signal: AbortSignal;
  /** The process's fd 1, whose only writer is the log worker. Resolves when all bytes were taken, however slowly. */
  readonly stdout: { write(bytes: Uint8Array): Promise<void> };
}

export interface LogOutputDefinition<C = unknown> extends DropInDefinition<C, LogOutputContext, LogOutput> {
  readonly kind: "log-output";
  /** Absolute paths of files it writes, places filled in with samples: an entry must not collect what it wrote itself. */
  writes?(config: C, folder: string): Awaitable<readonly string[]>;
}

export function defineLogOutput<C>(definition: Omit<LogOutputDefinition<C>, "kind">): LogOutputDefinition<C> {
  return { kind: "log-output", ...definition };
}
