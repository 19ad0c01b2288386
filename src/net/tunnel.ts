/**
 * Two connections piped into each other, bytes as they come:
 *
 *   near (the client)  --onData-->  write  far (the upstream)
 *                      <--write--  onData
 *
 * A side that does not take its bytes stops the reading of the other one, so what waits is at most one read in each
 * direction. FIN is relayed per direction, behind what is kept, and the other direction goes on. A reset is relayed as
 * a reset: a stream that was cut must not look complete.
 */
import type { Counter } from "../contracts.ts";
import type { Connection, ConnectionOwner } from "./connection.ts";
import { Timed, type TimerWheel } from "./wheel.ts";

/** Without a byte in either direction once one side has closed: by then most of what waits will never come. */
const halfClosedMs = 300_000;

/** How a tunnel ended: both sides closed in good order, one of them broke off, nothing moved, or it was cut from here. */
export type TunnelEnd = "closed" | "near_broken" | "far_broken" | "idle" | "cut";

export interface TunnelOptions {
  readonly wheel: TimerWheel;
  /** Milliseconds without a byte in either direction; Infinity for no limit. */
  readonly idleMs: number;
  /** Bytes read from the near side, and from the far side, are added here as they come. */
  readonly received: Counter;
  readonly sent: Counter;
  /** Called once, when both connections are closed or about to be. */
  readonly ended: (end: TunnelEnd) => void;
}

export class Tunnel extends Timed {
  private readonly options: TunnelOptions;
  private readonly near: Side;
  private readonly far: Side;
  private end: TunnelEnd | undefined;
  private lastMoved: number;
  /** Bytes that waited for either side when that was last looked at. */
  private waited = 0;

  constructor(near: Connection, far: Connection, options: TunnelOptions) {
    super();
    this.options = options;
    this.lastMoved = options.wheel.now;
    this.near = new Side(this, near, far, options.received);
    this.far = new Side(this, far, near, options.sent);
  }

  /** Bytes read from the near side so far. */
  get bytesIn(): number {
    return this.near.bytes;
  }

  /** Bytes read from the far side so far. */
  get bytesOut(): number {
    return this.far.bytes;
  }

  /** Bytes that wait in this process for either side. */
  get heldBytes(): number {
    return this.near.connection.pendingBytes + this.far.connection.pendingBytes;
  }

  /**
   * Takes both connections over. What was read of either before goes first.
   * @param nearEarly counted as received already, by who read it
   */
  start(nearEarly: Uint8Array, farEarly: Uint8Array): void {
    const { near, far } = this;
    near.connection.owner = near;
    far.connection.owner = far;
    this.options.wheel.set(this, this.limitMs);
    if (nearEarly.length > 0) near.pass(nearEarly);
    if (farEarly.length > 0) far.onData(farEarly);
    near.settle();
    far.settle();
  }

  /** Ends both connections at once, with a reset. */
  cut(): void {
    this.finish("cut");
  }

  /** @internal */
  moved(): void {
    this.lastMoved = this.options.wheel.now;
  }

  /** @internal one side has sent all it had */
  halfClosed(): void {
    this.moved();
    if (this.end === undefined) this.options.wheel.set(this, this.limitMs);
  }

  /** @internal */
  sideClosed(side: Side, error: Error | undefined): void {
    const other = side === this.near ? this.far : this.near;
    // The runtime does not always tell of a reset as an error: who is gone before all was said to him broke it off.
    if (error !== undefined || !other.done) this.finish(side === this.near ? "near_broken" : "far_broken");
    else if (this.near.connection.closed && this.far.connection.closed) this.finish("closed");
  }

  override onDeadline(now: number): void {
    const { heldBytes } = this;
    if (heldBytes < this.waited) this.lastMoved = now; // a slow reader took some of what waits
    this.waited = heldBytes;
    const left = this.limitMs - (now - this.lastMoved);
    if (left <= 0) this.finish("idle");
    else this.options.wheel.set(this, left);
  }

  private get limitMs(): number {
    const { idleMs } = this.options;
    return this.near.done || this.far.done ? Math.min(idleMs, halfClosedMs) : idleMs;
  }

  private finish(end: TunnelEnd): void {
    if (this.end !== undefined) return;
    this.end = end;
    this.options.wheel.clear(this);
    if (end !== "closed") {
      this.near.connection.destroy();
      this.far.connection.destroy();
    }
    this.options.ended(end);
  }
}

/** One side: what it says is written to the other one. */
class Side implements ConnectionOwner {
  /** Read from this side. */
  bytes = 0;
  /** It sent FIN, which was relayed. */
  done = false;
  readonly connection: Connection;
  private readonly tunnel: Tunnel;
  private readonly other: Connection;
  private readonly counter: Counter;

  constructor(tunnel: Tunnel, connection: Connection, other: Connection, counter: Counter) {
    this.tunnel = tunnel;
    this.connection = connection;
    this.other = other;
    this.counter = counter;
  }

  onData(bytes: Uint8Array): void {
    this.counter.add(bytes.length);
    this.pass(bytes);
  }

  pass(bytes: Uint8Array): void {
    this.bytes += bytes.length;
    this.tunnel.moved();
    if (!this.other.write(bytes)) this.connection.pause();
  }

  /** Reads on, unless the other side is behind; tells what happened before the tunnel began. */
  settle(): void {
    if (this.other.pendingBytes > 0) this.connection.pause();
    else this.connection.resume();
    if (this.done) return;
    if (this.connection.closed) this.tunnel.sideClosed(this, new Error("closed before the tunnel began"));
    else if (this.connection.ended) this.onEnd();
  }

  /** This side has taken what was kept for it. */
  onDrain(): void {
    this.tunnel.moved();
    this.other.resume();
  }

  onEnd(): void {
    if (this.done) return;
    this.done = true;
    this.other.shutdown();
    this.tunnel.halfClosed();
  }

  /** Without an error it closed after both FINs; the runtime tells of the peer's only here when ours went first. */
  onClose(error: Error | undefined): void {
    if (error === undefined) this.onEnd();
    this.tunnel.sideClosed(this, error);
  }
}
