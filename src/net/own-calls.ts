/**
 * Connections that this thread has opened, told by both their ends. A captured connection with the same two ends is one
 * of them: the kernel has no two sockets of TCP with the same ends in one network.
 *
 * Kept only where a listener captures.
 */
import type { Connection } from "./connection.ts";
import type { Endpoint } from "./proxy-protocol.ts";

/** Closed ones are looked for when so many more than after the last look are kept. */
const sweepAfter = 1024;

class OwnCalls {
  private calls: Map<string, Connection> | undefined;
  private sweepAt = sweepAfter;

  /** From now on calls are kept. */
  watch(): void {
    this.calls ??= new Map();
  }

  /** A connection was opened from here. */
  note(connection: Connection): void {
    const { calls } = this;
    if (calls === undefined) return;
    calls.set(keyOf(connection.destination, connection), connection);
    if (calls.size >= this.sweepAt) this.sweep(calls);
  }

  /** True when the open connection between these two is ours. */
  has(source: Endpoint, destination: Endpoint): boolean {
    return this.calls?.get(keyOf(source, destination))?.closed === false;
  }

  private sweep(calls: Map<string, Connection>): void {
    for (const [key, connection] of calls) if (connection.closed) calls.delete(key);
    this.sweepAt = calls.size + sweepAfter;
  }
}

function keyOf(source: Endpoint, destination: Endpoint): string {
  return `${source.address} ${source.port} ${destination.address} ${destination.port}`;
}

/** Of this thread. */
export const ownCalls = new OwnCalls();
