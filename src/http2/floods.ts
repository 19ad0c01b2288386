/**
 * Limits on what costs the peer little and us much: a budget per connection, which time and honest work refill. Who
 * overdraws it is told ENHANCE_YOUR_CALM (RFC 9113 section 10.5; CVE-2023-44487, CVE-2024-27316, CVE-2019-9511 to 9518,
 * CVE-2025-8671).
 */
import { ConnectionFault, ErrorCode } from "./error-codes.ts";

/** What the peer may spend at once, and what comes back each second. */
const burst = 1000;
const perSecond = 200;

export const Cost = {
  /** PING, PRIORITY, WINDOW_UPDATE, a frame of unknown type. */
  CONTROL: 1,
  SETTINGS: 10,
  /** RST_STREAM for a stream that has its answer, or part of it. */
  LATE_RESET: 1,
  /** RST_STREAM for a request nobody has answered yet, and a stream above the limit. */
  EARLY_RESET: 4,
  /** A frame that makes us reset a stream. */
  STREAM_FAULT: 10,
  /** DATA without content that does not end its stream; CONTINUATION beyond the first few. */
  EMPTY: 5,
} as const;

export const Gain = {
  /** A stream that came to its end in good order. */
  STREAM: 2,
  /** DATA sent: the peer answers with WINDOW_UPDATE, one for the stream and one for the connection. */
  DATA_SENT: 2,
  /** DATA received: gRPC clients measure the way with a PING each time. */
  DATA_RECEIVED: 1,
} as const;

export class Floods {
  private readonly clock: { readonly now: number };
  private budget = burst;
  private refilledAt: number;

  /** @param clock monotonic milliseconds; a coarse one will do */
  constructor(clock: { readonly now: number }) {
    this.clock = clock;
    this.refilledAt = clock.now;
  }

  gain(amount: number): void {
    if (this.budget < burst) this.budget += amount;
  }

  /** @throws ConnectionFault when the budget is overdrawn */
  spend(amount: number, what: string): void {
    this.budget -= amount;
    if (this.budget >= 0) return;
    const { now } = this.clock;
    this.budget = Math.min(burst, this.budget + ((now - this.refilledAt) / 1000) * perSecond);
    this.refilledAt = now;
    if (this.budget < 0) throw new ConnectionFault(ErrorCode.ENHANCE_YOUR_CALM, `too many frames: ${what}`);
  }
}
