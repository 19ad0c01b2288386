/**
 * Connections that this process has opened, told by both their ends. A captured connection with the same two ends is one
 * of them: the kernel has no two sockets of TCP with the same ends in one network.
 *
 *   cells[our port]   a number made of both ends of the connection opened last from there, 0 when that is closed
 *
 * One table in shared memory for all threads that carry traffic, as the kernel may hand a call of one to another. Kept
 * only where a listener captures.
 */
import type { Connection } from "./connection.ts";
import type { Endpoint } from "./proxy-protocol.ts";

const ports = 65_536;

/** Memory for `attach`; what is never used of it costs nothing. */
export function allocateOwnCalls(): SharedArrayBuffer {
  return new SharedArrayBuffer(ports * Int32Array.BYTES_PER_ELEMENT);
}

class OwnCalls {
  private cells: Int32Array | undefined;
  private watching = false;

  /** Shares the table of other threads. */
  attach(memory: SharedArrayBuffer): void {
    this.cells = new Int32Array(memory);
  }

  /** From now on calls are kept. */
  watch(): void {
    this.watching = true;
    this.cells ??= new Int32Array(allocateOwnCalls());
  }

  /** A connection was opened from here. */
  note(connection: Connection): void {
    const { cells } = this;
    if (!this.watching || cells === undefined) return;
    const { destination: source } = connection;
    const mark = markOf(source, connection);
    Atomics.store(cells, source.port, mark);
    connection.onGone = () => void Atomics.compareExchange(cells, source.port, mark, 0);
  }

  /** True when the open connection between these two is ours. */
  has(source: Endpoint, destination: Endpoint): boolean {
    return this.cells !== undefined && Atomics.load(this.cells, source.port) === markOf(source, destination);
  }
}

/** FNV-1a of both ends; never 0. Another connection from the same port has the same mark once in four thousand million. */
function markOf(source: Endpoint, destination: Endpoint): number {
  const text = `${source.address} ${source.port} ${destination.address} ${destination.port}`;
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return hash === 0 ? 1 : hash;
}

/** As this thread sees them. */
export const ownCalls = new OwnCalls();
