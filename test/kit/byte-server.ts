/** A server of plain bytes for tests of what we send: keeps all it was sent, answers and fails as it is told. */
import type { Socket, TCPSocketListener, TLSOptions } from "bun";

/** One connection, as the server saw it. */
export class Visit {
  received: Buffer = Buffer.alloc(0);
  /** The client ended its side. */
  ended = false;
  closed = false;
  private readonly socket: Socket<Visit>;
  private waiting: Buffer[] = [];

  constructor(socket: Socket<Visit>) {
    this.socket = socket;
  }

  say(bytes: string | Uint8Array): void {
    const all = typeof bytes === "string" ? Buffer.from(bytes) : Buffer.from(bytes);
    if (this.waiting.length > 0) {
      this.waiting.push(all);
      return;
    }
    const taken = Math.max(0, this.socket.write(all));
    if (taken < all.length) this.waiting.push(all.subarray(taken));
  }

  drain(): void {
    const all = this.waiting;
    this.waiting = [];
    for (const bytes of all) this.say(bytes);
  }

  /** The first bytes of what was received, which are kept no longer. */
  take(length: number): Buffer {
    const taken = this.received.subarray(0, length);
    this.received = this.received.subarray(length);
    return taken;
  }

  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  end(): void {
    this.socket.end();
  }

  reset(): void {
    this.socket.terminate();
  }
}

export interface ByteServerOptions {
  readonly port?: number;
  readonly tls?: TLSOptions;
  /** Default: nothing is said. */
  onOpen?(visit: Visit): void;
  /** After the bytes were added to `visit.received`. */
  onData?(visit: Visit): void;
  /** Default: the connection is ended on this side too. */
  onEnd?(visit: Visit): void;
}

export class ByteServer {
  readonly visits: Visit[] = [];
  private readonly listener: TCPSocketListener<Visit>;

  constructor({ port = 0, tls, onOpen, onData, onEnd = (visit) => visit.end() }: ByteServerOptions = {}) {
    const visits = this.visits;
    this.listener = Bun.listen<Visit>({
      hostname: "127.0.0.1",
      port,
      allowHalfOpen: true,
      ...(tls === undefined ? {} : { tls }),
      socket: {
        open(socket) {
          socket.data = new Visit(socket);
          visits.push(socket.data);
          onOpen?.(socket.data);
        },
        data({ data: visit }, bytes) {
          visit.received = Buffer.concat([visit.received, bytes]);
          onData?.(visit);
        },
        drain: ({ data: visit }) => visit.drain(),
        end({ data: visit }) {
          visit.ended = true;
          onEnd(visit);
        },
        close({ data: visit }) {
          if (visit !== undefined) visit.closed = true;
        },
        error() {},
      },
    });
  }

  get port(): number {
    return this.listener.port;
  }

  get last(): Visit {
    return this.visits.at(-1)!;
  }

  stop(): void {
    this.listener.stop(true);
  }
}
