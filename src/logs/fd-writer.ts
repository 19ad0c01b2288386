/**
 * Writes bytes to a descriptor without ever blocking the thread, however slow its reader is.
 *
 *   write(bytes) -> queue -> write(2) until EAGAIN -> retry after 1, 2, 4 … 50 ms -> promise resolves
 *
 * Polling by timer instead of waiting for writability: Bun has no way to watch a descriptor for that, and a pipe
 * that is full is read in pieces of its whole size anyway.
 */
import { writeSync } from "node:fs";
import type { Clock } from "../contracts.ts";
import { type NonBlocking, reopen, switchOver } from "./nonblocking.ts";

const firstRetryMs = 1;
const lastRetryMs = 50;
/** After EPIPE and the like: a named pipe may get a new reader. */
const brokenRetryMs = 1_000;
/** Bytes written before other work of the thread gets its turn: a fast reader must not hold the loop. */
const turnBytes = 4 * 1024 * 1024;
/** Written items kept in the queue before it is shortened; it may never be empty under a steady backlog. */
const compactAt = 256;

interface Item {
  readonly bytes: Uint8Array;
  readonly taken: () => void;
}

export interface FdWriterOptions {
  /** Called when writing starts to fail with anything but "full", such as EPIPE; once until it works again. */
  onBroken?: (code: string) => void;
}

export class FdWriter {
  private readonly clock: Clock;
  private readonly options: FdWriterOptions;
  private target: NonBlocking | undefined;
  private items: Item[] = [];
  /** Place in `items` of the one being written, and how many of its bytes are out. */
  private next = 0;
  private offset = 0;
  private queuedBytes = 0;
  private retryMs = firstRetryMs;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private failing = false;
  private closed = false;

  /** `fd` stays open when the writer is closed. `clock` measures the deadline of `flushSync`. */
  constructor(fd: number, clock: Clock, options: FdWriterOptions = {}) {
    this.clock = clock;
    this.options = options;
    this.target = reopen(fd);
    if (this.target === undefined) void this.openShared(fd);
  }

  /** Bytes given to `write` that the descriptor has not taken yet. */
  get pending(): number {
    return this.queuedBytes;
  }

  /** True while the last attempt failed with anything but "full". */
  get broken(): boolean {
    return this.failing;
  }

  /**
   * Queues the bytes behind all earlier ones; they must not be changed until the promise resolves, which is when
   * the descriptor has taken the last of them. It never rejects: while the reader is gone, the bytes wait.
   */
  write(bytes: Uint8Array): Promise<void> {
    if (bytes.length === 0) return Promise.resolve();
    return new Promise((taken) => {
      this.items.push({ bytes, taken });
      this.queuedBytes += bytes.length;
      if (this.timer === undefined) this.pump();
    });
  }

  /** Tries to write everything now, waiting at most `deadlineMs`. Blocks: for the end of the process only. */
  flushSync(deadlineMs: number): boolean {
    const end = this.clock.now() + deadlineMs;
    for (;;) {
      this.pump();
      if (this.queuedBytes === 0) return true;
      if (this.clock.now() >= end || this.target === undefined || this.failing) return false;
      pause();
    }
  }

  /** Stops writing. Bytes still queued are dropped and their promises stay open. */
  close(): void {
    if (this.closed) return;
    this.closed = true;
    clearTimeout(this.timer);
    this.target?.restore();
  }

  private async openShared(fd: number): Promise<void> {
    const target = await switchOver(fd);
    if (this.closed) return target.restore();
    this.target = target;
    this.pump();
  }

  private pump(): void {
    if (this.closed || this.target === undefined) return;
    clearTimeout(this.timer);
    this.timer = undefined;
    const waitMs = this.writeTurn(this.target.fd);
    if (waitMs !== undefined) this.timer = setTimeout(() => this.pump(), waitMs);
  }

  /** Writes until the queue is empty, the descriptor is full or the turn is over; returns the wait for the next turn. */
  private writeTurn(fd: number): number | undefined {
    for (let left = turnBytes; this.next < this.items.length; ) {
      if (left <= 0) return 0;
      const item = this.items[this.next]!;
      const taken = this.attempt(fd, item.bytes);
      if (taken <= 0) return this.backOff(taken);
      left -= taken;
      this.advance(item, taken);
    }
    this.items = [];
    this.next = 0;
    return undefined;
  }

  /** Returns the bytes taken, 0 when the descriptor is full, -1 when it is broken. */
  private attempt(fd: number, bytes: Uint8Array): number {
    try {
      const taken = writeSync(fd, bytes, this.offset, bytes.length - this.offset);
      this.failing = false;
      return taken;
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code ?? "EIO";
      if (code === "EAGAIN" || code === "EINTR") return 0;
      if (!this.failing) {
        this.failing = true;
        this.options.onBroken?.(code);
      }
      return -1;
    }
  }

  private advance(item: Item, taken: number): void {
    this.retryMs = firstRetryMs;
    this.queuedBytes -= taken;
    this.offset += taken;
    if (this.offset < item.bytes.length) return;
    this.offset = 0;
    this.next++;
    item.taken();
    if (this.next === compactAt) {
      this.items = this.items.slice(compactAt);
      this.next = 0;
    }
  }

  private backOff(taken: number): number {
    if (taken < 0) return brokenRetryMs;
    const waitMs = this.retryMs;
    this.retryMs = Math.min(this.retryMs * 2, lastRetryMs);
    return waitMs;
  }
}

const pauseCell = new Int32Array(new SharedArrayBuffer(4));

/** Sleeps the thread for a millisecond. */
function pause(): void {
  Atomics.wait(pauseCell, 0, 0, 1);
}
