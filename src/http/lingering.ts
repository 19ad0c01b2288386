/**
 * The last of a connection: its answer goes out, FIN after it, and what the client still sends is read and dropped,
 * because closing with bytes unread sends a reset, and that may overtake the answer (RFC 9112 section 9.6).
 */
import type { Connection, ConnectionOwner } from "../net/connection.ts";
import { Timed, type TimerWheel } from "../net/wheel.ts";

/** How long a client that has its answer may still send. */
const lingerMs = 1000;
/** How much of it is read, where nothing else is said. */
const lingerBytes = 256 * 1024;

/** Takes the connection over. */
export class Lingering extends Timed implements ConnectionOwner {
  private readonly wheel: TimerWheel;
  private readonly connection: Connection;
  private readonly patienceMs: number;
  private readonly closed: () => void;
  private readonly mostBytes: number;
  private dropped = 0;
  /** Bytes of the answer that the client had not taken when that was last looked at. */
  private untaken: number;

  /**
   * @param patienceMs how long the client may take none of what is left of its answer
   * @param mostBytes how much more of what it sends is read
   */
  constructor(
    wheel: TimerWheel,
    connection: Connection,
    patienceMs: number,
    closed: () => void,
    mostBytes = lingerBytes,
  ) {
    super();
    this.wheel = wheel;
    this.connection = connection;
    this.patienceMs = patienceMs;
    this.closed = closed;
    this.mostBytes = mostBytes;
    this.untaken = connection.pendingBytes;
    connection.owner = this;
    wheel.set(this, connection.pendingBytes > 0 ? patienceMs : lingerMs);
    if (connection.ended) connection.end();
    else {
      connection.shutdown();
      connection.resume();
    }
  }

  onData(bytes: Buffer): void {
    this.dropped += bytes.length;
    if (this.dropped > this.mostBytes) this.connection.destroy();
  }

  onEnd(): void {
    this.connection.end();
  }

  onDrain(): void {
    this.wheel.set(this, lingerMs);
  }

  onClose(): void {
    this.wheel.clear(this);
    this.closed();
  }

  /** Closes, unless the client is still taking its answer; what the kernel has taken goes out all the same. */
  override onDeadline(): void {
    const { pendingBytes } = this.connection;
    if (pendingBytes === 0) this.connection.end();
    else if (pendingBytes === this.untaken) this.connection.destroy();
    else this.wheel.set(this, this.patienceMs);
    this.untaken = pendingBytes;
  }
}
