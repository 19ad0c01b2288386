/**
 * A connection of our own that is no HTTP: bytes in order, each way, awaited.
 *
 *   open -> write(bytes) ... drained() -> the peer's kernel has them
 *        -> read() ... what the peer answers
 *
 * For destinations of logs: a few large writes a second, so a promise for each costs nothing.
 */
import type { Clock } from "../contracts.ts";
import { errorCode } from "../errors.ts";
import { ClientTls, type ClientTlsFiles } from "./client-tls.ts";
import type { Connection } from "./connection.ts";
import { dial } from "./dial.ts";
import { loadUnacknowledged } from "./socket-queue.ts";
import { type Target, tcpTarget } from "./target.ts";

export interface StreamPlace {
  readonly host: string;
  readonly port: number;
  /** Undefined: not encrypted. The files are read for each connection. */
  readonly tls: ClientTlsFiles | undefined;
}

export interface StreamLimits {
  /** For connecting and TLS, in milliseconds. */
  readonly connectMs: number;
  /** For each wait afterwards: until the peer takes bytes, or answers. */
  readonly timeoutMs: number;
  /** Ends every wait. */
  readonly signal: AbortSignal;
  readonly clock: Clock;
}

/** Why a connection is of no use any more; the message is the end of a sentence about the peer. */
export class StreamFault extends Error {
  override name = "StreamFault";
}

/** The connection, ready for bytes. @throws StreamFault */
function connect(target: Target, address: string, { connectMs, signal }: StreamLimits): Promise<Connection> {
  return new Promise((resolve, reject) => {
    let under: Connection | undefined;
    let isOver = false;
    const settle = (reason: string | undefined) => {
      if (isOver) return;
      isOver = true;
      clearTimeout(timer);
      signal.removeEventListener("abort", stop);
      if (reason === undefined) return resolve(under!);
      under?.destroy();
      reject(new StreamFault(reason));
    };
    const timer = setTimeout(() => settle(`cannot be connected to within ${connectMs} ms`), connectMs);
    const stop = () => settle("was given up on");
    signal.addEventListener("abort", stop);
    if (signal.aborted) return stop();
    dial(target, address, undefined, {
      opened: (connection) => {
        if (isOver) connection.destroy();
        else under = connection;
      },
      ready: () => settle(undefined),
      failed: (_, detail) => settle(detail),
    });
  });
}

function closedBecause(error: Error | undefined): string {
  const code = errorCode(error);
  return code === undefined ? "closed the connection" : `broke the connection off (${code})`;
}

const firstLookMs = 1;
const lastLookMs = 20;

export class ByteStream {
  private readonly connection: Connection;
  private readonly limits: StreamLimits;
  private readonly unacknowledged: ((fd: number) => number) | undefined;
  private received: Buffer[] = [];
  private fault: StreamFault | undefined;
  private ended = false;
  /** Who waits for something to happen (bytes, room, the end): one may write while another reads. */
  private readonly waiters = new Set<() => void>();

  private constructor(connection: Connection, limits: StreamLimits, unacknowledged: ByteStream["unacknowledged"]) {
    this.connection = connection;
    this.limits = limits;
    this.unacknowledged = unacknowledged;
    const happened = () => this.wakeAll();
    connection.owner = {
      onData: (bytes) => {
        // The runtime uses the memory again after this call.
        this.received.push(Buffer.from(bytes));
        happened();
      },
      onDrain: happened,
      onEnd: () => {
        this.ended = true;
        happened();
      },
      onClose: (error) => {
        // After both sides have ended the runtime tells of the close alone; a reset comes with an error.
        if (error === undefined && this.fault === undefined) this.ended = true;
        this.fault ??= new StreamFault(closedBecause(error));
        happened();
      },
    };
  }

  /** @throws StreamFault; CertificateFault where a file of TLS cannot be used */
  static async open({ host, port, tls }: StreamPlace, limits: StreamLimits): Promise<ByteStream> {
    const security = tls && ClientTls.read(tls, host, []);
    const target = tcpTarget(host, port, { tls: security && { options: security.options, key: security.key } });
    const unacknowledged = await loadUnacknowledged();
    for (const [place, address] of target.addresses.entries()) {
      try {
        return new ByteStream(await connect(target, address, limits), limits, unacknowledged);
      } catch (error) {
        if (place === target.addresses.length - 1) throw error;
      }
    }
    throw new StreamFault("has no address");
  }

  /** False once a write cannot arrive any more: it failed, or the peer has ended its side. */
  get usable(): boolean {
    return this.fault === undefined && !this.ended;
  }

  /** Resolves when the kernel has taken all of it. @throws StreamFault */
  async write(bytes: Uint8Array): Promise<void> {
    this.check();
    this.connection.write(bytes);
    let pending = this.connection.pendingBytes;
    let deadline = this.deadline();
    while (this.connection.pendingBytes > 0) {
      await this.something(deadline);
      this.check();
      if (this.connection.pendingBytes < pending) deadline = this.deadline();
      else this.checkTime(deadline, "takes no bytes");
      pending = this.connection.pendingBytes;
    }
    this.check();
  }

  /**
   * Resolves once the peer's kernel has acknowledged every byte (an empty send queue, SIOCOUTQ) and has not ended the
   * connection; where the system cannot tell, at once. @throws StreamFault
   */
  async drained(): Promise<void> {
    const { unacknowledged } = this;
    if (unacknowledged === undefined) return this.check();
    let deadline = this.deadline();
    let left = Number.POSITIVE_INFINITY;
    for (let waitMs = firstLookMs; ; waitMs = Math.min(waitMs * 2, lastLookMs)) {
      this.check();
      const now = unacknowledged(this.connection.descriptor);
      if (now <= 0) return;
      if (now < left) deadline = this.deadline();
      left = now;
      if (this.limits.clock.now() > deadline) throw this.fail("does not acknowledge what was sent");
      await Bun.sleep(waitMs);
    }
  }

  /** The next bytes from the peer. @throws StreamFault when there are no more, or none come in time */
  async read(): Promise<Buffer> {
    const deadline = this.deadline();
    while (this.received.length === 0) {
      this.check();
      this.checkTime(deadline, "does not answer");
      await this.something(deadline);
    }
    const bytes = this.received.length === 1 ? this.received[0]! : Buffer.concat(this.received);
    this.received = [];
    return bytes;
  }

  /** What has come and nobody read; empty when nothing did. */
  readNow(): Buffer {
    const bytes = Buffer.concat(this.received);
    this.received = [];
    return bytes;
  }

  /** Ends our side and waits until the peer, having read everything, ends its own. @throws StreamFault */
  async finish(): Promise<void> {
    this.check();
    this.connection.shutdown();
    const deadline = this.deadline();
    while (!this.ended && this.fault === undefined && !this.limits.signal.aborted) {
      this.checkTime(deadline, "does not end the connection");
      await this.something(deadline);
    }
    if (!this.ended) throw this.fault ?? this.fail("was given up on");
    this.close();
  }

  close(): void {
    this.fault ??= new StreamFault("the connection is closed");
    this.connection.end();
    this.wakeAll();
  }

  /** Closes at once, and says why from now on. */
  fail(reason: string): StreamFault {
    this.fault ??= new StreamFault(reason);
    this.connection.destroy();
    return this.fault;
  }

  private check(): void {
    if (this.fault !== undefined) throw this.fault;
    if (this.ended) throw this.fail("ended the connection");
    if (this.limits.signal.aborted) throw this.fail("was given up on");
  }

  private deadline(): number {
    return this.limits.clock.now() + this.limits.timeoutMs;
  }

  /** @throws StreamFault past the deadline, with what the peer did not do */
  private checkTime(deadline: number, otherwise: string): void {
    const { clock, timeoutMs } = this.limits;
    if (clock.now() >= deadline) throw this.fail(`${otherwise} for ${timeoutMs} ms`);
  }

  private wakeAll(): void {
    for (const wake of this.waiters) wake();
  }

  /** Waits until anything happens, or the deadline has passed. */
  private async something(deadline: number): Promise<void> {
    const { signal, clock } = this.limits;
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = () => resolve();
    const timer = setTimeout(wake, Math.max(0, deadline - clock.now()));
    signal.addEventListener("abort", wake);
    this.waiters.add(wake);
    await promise;
    this.waiters.delete(wake);
    signal.removeEventListener("abort", wake);
    clearTimeout(timer);
  }
}
