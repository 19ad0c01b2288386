/** What carries requests and calls, as the rest of the sidecar sees it: in this thread, or in several of its own. */
import type { ConfiguredPart } from "./config/reload.ts";
import type { Awaitable, Direction } from "./contracts.ts";
import type { OwnAnswer, OwnFailure, OwnRequest } from "./http/request.ts";
import type { MetricsSource } from "./metrics.ts";

export interface TrafficPart extends ConfiguredPart {
  /** As bound. */
  readonly listeners: readonly { readonly name: string; readonly direction: Direction; readonly address: string }[];
  /** What is open and what runs; of other threads as they last told. */
  readonly active: { readonly connections: number; readonly exchanges: number };
  /** One request of our own, through the same door as everybody's. Never rejects. */
  request(wanted: OwnRequest): Promise<OwnAnswer | OwnFailure>;
  /** From now on every answer ends its connection; new ones are still accepted. */
  announce(): void;
  /** Takes an announcement back: nobody stopped us within the lease. */
  recant(): void;
  /** Waits until every answer is out, or the time is over; requests are still answered. Resolves to how many were not. */
  drain(deadlineMs: number): Promise<{ readonly cut: number }>;
  /** Closes everything at once. */
  stop(): Awaitable<void>;
  /** Numbers counted in threads of its own. */
  metricsSources(): readonly MetricsSource[];
  /** How late the loops of threads of its own ran at worst since this was asked last. */
  takeLoopLags(): readonly LoopLagOf[];
}

export interface LoopLagOf {
  /** The thread's name in metrics. */
  readonly thread: string;
  readonly seconds: number;
}
