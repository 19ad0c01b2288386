/**
 * One TCP connection with backpressure: what could not be written is kept, and `write` says so.
 *
 *   owner.onData  <-  socket          owner calls pause()/resume() on the other side's connection
 *   write(...)    ->  socket, or kept until the socket drains, then owner.onDrain
 */
import type { Socket, SocketHandler } from "bun";
import { errorCode } from "../errors.ts";
import { latin1Write } from "./latin1.ts";

/** What drives a connection: the client's side of an exchange, or the upstream's. */
export interface ConnectionOwner {
  onData(bytes: Buffer): void;
  /** The peer sent FIN; writing is still possible. */
  onEnd(): void;
  /** Everything kept was written. */
  onDrain(): void;
  /** Called once; nothing can be read or written any more. */
  onClose(error: Error | undefined): void;
}

export type RawSocket = Socket<Connection>;

/** Room in which a head and a small body are put side by side, so that they leave in one system call. */
const scratch = Buffer.allocUnsafeSlow(64 * 1024);

const headEnd = Buffer.from("\r\n\r\n");

/** A head that can be copied: its fields, without the empty line, are `length - 2` bytes. */
interface Copyable {
  readonly text: string;
  readonly length: number;
  copyTo(target: Uint8Array): number;
}

const nothing: ConnectionOwner = { onData() {}, onEnd() {}, onDrain() {}, onClose() {} };

export class Connection {
  owner: ConnectionOwner = nothing;
  /** The peer's address without the IPv4-mapped prefix. */
  readonly address: string;
  readonly port: number;
  closed = false;
  paused = false;
  /** The peer sent FIN. */
  ended = false;
  /** Bytes taken by `write` that the socket has not taken yet. */
  pendingBytes = 0;
  private readonly socket: RawSocket;
  private readonly kept: Uint8Array[] = [];
  private afterFlush: "shutdown" | "end" | undefined;
  private finSent = false;

  constructor(socket: RawSocket) {
    this.socket = socket;
    this.address = plainAddress(socket.remoteAddress);
    this.port = socket.remotePort ?? 0;
    socket.setNoDelay(true);
  }

  get localPort(): number {
    return this.socket.localPort;
  }

  /** Writes bytes, or a string whose characters are all below 0x100. Returns false when some had to be kept. */
  write(data: string | Uint8Array): boolean {
    if (this.closed || this.finSent) return true;
    if (this.pendingBytes > 0) return this.keep(typeof data === "string" ? Buffer.from(data, "latin1") : data);
    if (typeof data === "string") return this.writeText(data);
    const taken = this.socket.write(data);
    if (taken === data.length) return true;
    return this.keep(data.subarray(Math.max(taken, 0)));
  }

  /** Writes a head and the first bytes of its body together. */
  writeHead(head: string, body: Uint8Array | undefined): boolean {
    const bodyLength = body === undefined ? 0 : body.length;
    const total = head.length + bodyLength;
    if (total > scratch.length || this.pendingBytes > 0) {
      const fits = this.write(head);
      return bodyLength === 0 ? fits : this.write(body!);
    }
    if (this.closed || this.finSent) return true;
    latin1Write(scratch, head, 0);
    if (bodyLength > 0) scratch.set(body!, head.length);
    const taken = Math.max(this.socket.write(scratch, 0, total), 0);
    return taken === total ? true : this.keep(Buffer.from(scratch.subarray(taken, total)));
  }

  /** Writes the bytes of a head as they are, and lines and a last value behind its fields, in one system call. */
  writePlain(head: Copyable, lines: string, last: string): void {
    const length = head.length + lines.length + last.length + 2;
    if (length > scratch.length || this.pendingBytes > 0) {
      this.write(`${head.text.slice(0, head.length - 2)}${lines}${last}\r\n\r\n`);
      return;
    }
    if (this.closed || this.finSent) return;
    let at = head.copyTo(scratch);
    at += latin1Write(scratch, lines, at);
    at += latin1Write(scratch, last, at);
    scratch.set(headEnd, at);
    const taken = Math.max(this.socket.write(scratch, 0, length), 0);
    if (taken < length) this.keep(Buffer.from(scratch.subarray(taken, length)));
  }

  /** Stops reading: the kernel's window closes, and the peer waits. */
  pause(): void {
    if (this.paused || this.closed) return;
    this.paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.paused || this.closed) return;
    this.paused = false;
    this.socket.resume();
  }

  /** Sends FIN after what is kept; reading goes on. */
  shutdown(): void {
    if (this.pendingBytes > 0) this.afterFlush ??= "shutdown";
    else this.sendFin();
  }

  /** Closes after what is kept. */
  end(): void {
    if (this.closed) return;
    if (this.pendingBytes > 0) this.afterFlush = "end";
    else this.socket.end();
  }

  /** Closes at once with a reset, so that the peer cannot take what it has for the whole. */
  destroy(): void {
    if (!this.closed) this.socket.terminate();
  }

  private writeText(text: string): boolean {
    // A string would leave as UTF-8, so it goes through Latin-1 bytes (RFC 9112 section 2.2: heads are octets).
    if (text.length > scratch.length) return this.write(Buffer.from(text, "latin1"));
    latin1Write(scratch, text, 0);
    const taken = Math.max(this.socket.write(scratch, 0, text.length), 0);
    return taken === text.length ? true : this.keep(Buffer.from(scratch.subarray(taken, text.length)));
  }

  private keep(bytes: Uint8Array): false {
    if (this.closed) return false;
    this.kept.push(bytes);
    this.pendingBytes += bytes.length;
    return false;
  }

  private sendFin(): void {
    if (this.closed || this.finSent) return;
    this.finSent = true;
    this.socket.shutdown();
  }

  /** @internal called by the socket */
  flush(): void {
    while (this.kept.length > 0) {
      const first = this.kept[0]!;
      const taken = this.socket.write(first);
      if (taken < 0) return;
      this.pendingBytes -= taken;
      if (taken < first.length) {
        this.kept[0] = first.subarray(taken);
        return;
      }
      this.kept.shift();
    }
    if (this.afterFlush === "shutdown") this.sendFin();
    if (this.afterFlush === "end") this.socket.end();
    else this.owner.onDrain();
  }

  /** @internal called by the socket */
  markClosed(error: Error | undefined): void {
    if (this.closed) return;
    this.closed = true;
    this.kept.length = 0;
    this.pendingBytes = 0;
    this.owner.onClose(error);
  }
}

/** The events every socket shares; `open` is up to who listens or connects. */
export const connectionEvents = {
  data(socket, bytes) {
    socket.data.owner.onData(bytes);
  },
  drain(socket) {
    socket.data.flush();
  },
  end(socket) {
    socket.data.ended = true;
    socket.data.owner.onEnd();
  },
  close(socket, error) {
    socket.data?.markClosed(error ?? undefined);
  },
  error(socket, error) {
    socket.data?.markClosed(error);
    socket.terminate();
    // What our own code threw in one of these calls comes here as well: a bug, which must not look like a lost peer.
    if (errorCode(error) === undefined) queueMicrotask(() => rethrow(error));
  },
} satisfies SocketHandler<Connection>;

function rethrow(error: Error): never {
  throw error;
}

/** `::ffff:10.0.0.1` is how a dual-stack socket writes 10.0.0.1. */
export function plainAddress(address: string | undefined): string {
  if (address === undefined) return "";
  return address.startsWith("::ffff:") && address.includes(".") ? address.slice(7) : address;
}

/** True for addresses of this machine, written as `plainAddress` does. */
export function isLoopback(address: string): boolean {
  return address === "::1" || address.startsWith("127.");
}
