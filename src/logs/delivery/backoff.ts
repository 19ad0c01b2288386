/**
 * Pauses between attempts: exponential with full jitter, `random × min(most, least × 2ⁿ)`, so that many collectors
 * whose destination was gone do not come back at once. What a destination asks for is kept to, up to five minutes.
 */
import type { RetryPolicy } from "./policy.ts";

/** Longest pause a destination may ask for. */
export const longestAskedMs = 300_000;

export class Backoff {
  private readonly policy: RetryPolicy;
  private readonly random: () => number;
  /** Failures since something was delivered. */
  private failures = 0;
  /** Attempts on what is tried now, and when the first of them failed. */
  private attempts = 0;
  private firstFailureAt = 0;

  constructor(policy: RetryPolicy, random: () => number) {
    this.policy = policy;
    this.random = random;
  }

  /** Another attempt failed at `now`. */
  failed(now: number): void {
    if (this.attempts === 0) this.firstFailureAt = now;
    this.attempts++;
    this.failures++;
  }

  /** Something was delivered: the next pause is a short one again. */
  progressed(): void {
    this.failures = 0;
  }

  /** What comes now was not tried before. */
  next(): void {
    this.attempts = 0;
  }

  /** True when the policy allows no further attempt on what is tried now. */
  isOver(now: number): boolean {
    const { attempts, giveUpAfterMs } = this.policy;
    if (this.attempts === 0) return false;
    return (
      (attempts !== undefined && this.attempts >= attempts) ||
      (giveUpAfterMs !== undefined && now - this.firstFailureAt >= giveUpAfterMs)
    );
  }

  /** Milliseconds until the next attempt. */
  pauseMs(askedMs?: number): number {
    if (askedMs !== undefined && askedMs >= 0) return Math.min(askedMs, longestAskedMs);
    const { leastMs, mostMs } = this.policy;
    return this.random() * Math.min(mostMs, leastMs * 2 ** Math.max(0, this.failures - 1));
  }
}
