/** One raw TCP connection as a test sees it: bytes in order, backpressure, and how it ended. */
import type { Socket } from "bun";

/** Bytes that may wait here before reading stops, so that a test's own memory says nothing about the engine's. */
const mostWaiting = 1024 * 1024;

export type Ending = "fin" | "reset";

export class Wire {
  /** The other side sent FIN. */
  ended = false;
  closed = false;
  /** Bytes that ever came. */
  receivedBytes = 0;
  private readonly socket: Socket<Wire>;
  private chunks: Buffer[] = [];
  private waitingBytes = 0;
  private wasReset = false;
  private halted = false;
  private stalled = false;
  private wake: (() => void)[] = [];

  private constructor(socket: Socket<Wire>) {
    this.socket = socket;
  }

  static readonly events = {
    data(socket: Socket<Wire>, bytes: Buffer) {
      socket.data.arrived(bytes);
    },
    drain(socket: Socket<Wire>) {
      socket.data.changed();
    },
    end(socket: Socket<Wire>) {
      socket.data.ended = true;
      socket.data.changed();
    },
    close(socket: Socket<Wire>, error?: Error) {
      socket.data?.gone(error);
    },
    error() {},
  };

  static connect(port: number, hostname = "127.0.0.1"): Promise<Wire> {
    return new Promise((resolve, reject) => {
      Bun.connect<Wire>({
        hostname,
        port,
        allowHalfOpen: true,
        socket: { ...Wire.events, open: (socket) => resolve(Wire.over(socket)), connectError() {} },
      }).catch(reject);
    });
  }

  /** Resolves when the handshake is over; rejects when it failed. */
  static connectTls(port: number, tls: object, hostname = "127.0.0.1"): Promise<Wire> {
    return new Promise((resolve, reject) => {
      Bun.connect<Wire>({
        hostname,
        port,
        allowHalfOpen: true,
        tls,
        socket: {
          ...Wire.events,
          open: (socket) => void Wire.over(socket),
          handshake: (socket, success, error) =>
            success ? resolve(socket.data) : reject(error ?? new Error("the handshake failed")),
          connectError() {},
        },
      }).catch(reject);
    });
  }

  /** What TLS agreed on. */
  get tls(): { readonly version: string; readonly alpn: string | false | null; readonly peer: string } {
    const { socket } = this;
    return {
      version: socket.getTLSVersion(),
      alpn: socket.alpnProtocol,
      peer: socket.getPeerX509Certificate().subject,
    };
  }

  static over(socket: Socket<Wire>): Wire {
    socket.data = new Wire(socket);
    return socket.data;
  }

  /** Writes everything, as fast as the other side takes it. Stops quietly when the connection is gone. */
  async send(data: string | Uint8Array): Promise<void> {
    let rest = typeof data === "string" ? Buffer.from(data, "latin1") : data;
    while (rest.length > 0 && !this.closed) {
      const taken = Math.max(this.socket.write(rest), 0);
      rest = rest.subarray(taken);
      if (rest.length > 0 && !this.closed) await this.change(60_000, "room to write");
    }
  }

  /** The next bytes; undefined once the other side has ended. */
  async some(deadlineMs = 10_000): Promise<Buffer | undefined> {
    while (this.chunks.length === 0) {
      if (this.ended || this.closed) return undefined;
      await this.change(deadlineMs, "bytes");
    }
    const bytes = this.chunks.shift()!;
    this.waitingBytes -= bytes.length;
    this.relax();
    return bytes;
  }

  /** Gives bytes back, to be read again. */
  unread(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.chunks.unshift(bytes);
    this.waitingBytes += bytes.length;
  }

  /** Everything up to and with `marker`; undefined when the other side ended before it. */
  async through(marker: string): Promise<string | undefined> {
    let held: Buffer = Buffer.alloc(0);
    for (;;) {
      const bytes = await this.some();
      if (bytes === undefined) {
        this.unread(held);
        return undefined;
      }
      const looked = Math.max(held.length - marker.length, 0);
      held = held.length === 0 ? bytes : Buffer.concat([held, bytes]);
      const at = held.indexOf(marker, looked, "latin1");
      if (at === -1) continue;
      const end = at + marker.length;
      this.unread(held.subarray(end));
      return held.toString("latin1", 0, end);
    }
  }

  /** Everything that comes until the other side ends, as text. */
  async rest(): Promise<string> {
    let text = "";
    for (let bytes = await this.some(); bytes !== undefined; bytes = await this.some())
      text += bytes.toString("latin1");
    return text;
  }

  /** Waits until the other side has ended, reading what still comes, and tells how. */
  async ending(deadlineMs = 10_000): Promise<Ending> {
    while ((await this.some(deadlineMs)) !== undefined);
    return this.wasReset ? "reset" : "fin";
  }

  /** Waits until nothing can be read nor written any more. */
  async closing(deadlineMs = 10_000): Promise<void> {
    while (!this.closed) await this.change(deadlineMs, "the end of the connection");
  }

  /** Stops reading until `read()`: the kernel's window closes. */
  stall(): void {
    this.stalled = true;
    this.socket.pause();
  }

  read(): void {
    this.stalled = false;
    this.halted = false;
    this.socket.resume();
  }

  /** FIN; reading goes on. */
  finish(): void {
    if (!this.closed) this.socket.shutdown();
  }

  close(): void {
    if (!this.closed) this.socket.end();
  }

  reset(): void {
    if (!this.closed) this.socket.terminate();
  }

  private arrived(bytes: Buffer): void {
    this.receivedBytes += bytes.length;
    this.waitingBytes += bytes.length;
    this.chunks.push(bytes);
    if (this.waitingBytes > mostWaiting && !this.halted) {
      this.halted = true;
      this.socket.pause();
    }
    this.changed();
  }

  private relax(): void {
    if (!this.halted || this.stalled || this.waitingBytes > 0 || this.closed) return;
    this.halted = false;
    this.socket.resume();
  }

  private gone(error: Error | undefined): void {
    this.closed = true;
    if (error !== undefined && error !== null) this.wasReset = true;
    this.changed();
  }

  private changed(): void {
    const { wake } = this;
    this.wake = [];
    for (const call of wake) call();
  }

  private change(deadlineMs: number, what: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`waited ${deadlineMs} ms for ${what}`)), deadlineMs);
      this.wake.push(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
