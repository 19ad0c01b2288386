/** What a configuration may say beside any output: when a batch is closed, how often it is tried, where rejects go. */
import type { BatchLimits } from "../../contracts.ts";

export interface RetryPolicy {
  /** The pause after the first failure is random, up to this; the bound doubles with each further one. */
  readonly leastMs: number;
  /** Where it stops to double. */
  readonly mostMs: number;
  /** How often a batch is tried before it goes to the dead letters. Default: for ever. */
  readonly attempts?: number | undefined;
  /** How long it is tried before it goes to the dead letters. Default: for ever. */
  readonly giveUpAfterMs?: number | undefined;
}

export interface DeadLetterPolicy {
  /** Default: `dead-letters/OUTPUT.ndjson` in the log worker's folder. */
  readonly file?: string | undefined;
  /** Most bytes of it and of the file before it. Default: 64 MiB. */
  readonly bytes?: number | undefined;
}

export interface OutputPolicy {
  readonly batch?: Partial<BatchLimits> | undefined;
  readonly retry?: Partial<RetryPolicy> | undefined;
  /** `off`: items that cannot be delivered are discarded, and counted. */
  readonly deadLetters?: DeadLetterPolicy | "off" | undefined;
}

export const defaultDeadLetterBytes = 64 * 1024 * 1024;

const defaultLimits: BatchLimits = { bytes: 1024 * 1024, lines: Number.POSITIVE_INFINITY, ageMs: 0 };
const defaultRetry: RetryPolicy = { leastMs: 500, mostMs: 30_000 };

/** What the output asks for, unless the configuration asks for something else. */
export function batchLimits(output: Partial<BatchLimits> = {}, policy: Partial<BatchLimits> = {}): BatchLimits {
  return { ...defaultLimits, ...output, ...policy };
}

export function retryPolicy(policy: Partial<RetryPolicy> = {}): RetryPolicy {
  return { ...defaultRetry, ...policy };
}
