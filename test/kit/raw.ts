/**
 * Both ends of a connection as plain bytes, for tests of what stands between them.
 *
 *   RawClient  --pieces-->  the engine  --?-->  RawUpstream (keeps every byte it was sent, answers by script)
 */
import type { Socket, TCPSocketListener } from "bun";
import { until } from "./until.ts";

/** Bytes of a text whose characters are all below 0x100. */
export function bytesOf(data: string | Uint8Array): Buffer {
  return typeof data === "string" ? Buffer.from(data, "latin1") : Buffer.from(data);
}

/** One end of a TCP connection: keeps all it received, writes what the socket does not take at once later. */
export class RawConnection {
  /** Everything received, one character per byte. */
  received = "";
  /** The other end sent FIN, so that what came is all of it. */
  ended = false;
  closed = false;
  /** It was closed by a reset or another error. */
  broken = false;
  /** Called after each change of the members above. */
  onChange: () => void = () => {};
  private readonly socket: Socket<RawConnection>;
  private waiting: Buffer = Buffer.alloc(0);

  constructor(socket: Socket<RawConnection>) {
    this.socket = socket;
    socket.setNoDelay(true);
  }

  /** Sends bytes, or a string as Latin-1. */
  send(data: string | Uint8Array): void {
    this.waiting = Buffer.concat([this.waiting, bytesOf(data)]);
    this.flush();
  }

  /** Sends each piece as a packet of its own, as far as the kernel plays along. */
  async sendPieces(pieces: readonly (string | Uint8Array)[]): Promise<void> {
    for (const piece of pieces) {
      if (this.closed) return;
      this.send(piece);
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Sends FIN; what still comes is received. */
  finish(): void {
    this.socket.shutdown();
  }

  /** Closes with FIN, reading no more. */
  close(): void {
    this.socket.end();
  }

  /** Closes with a reset. */
  reset(): void {
    this.socket.terminate();
  }

  /** Stops reading, as a slow peer does. */
  pause(): void {
    this.socket.pause();
  }

  resume(): void {
    this.socket.resume();
  }

  /** Waits until `holds` for what was received so far. */
  async receives(holds: string | ((received: string) => boolean), what = String(holds)): Promise<void> {
    const test = typeof holds === "string" ? (received: string) => received.includes(holds) : holds;
    await until(() => test(this.received), {
      what: `receiving ${JSON.stringify(what)}; so far ${JSON.stringify(this.received.slice(-400))}`,
    });
  }

  /** Waits until the other end sent FIN or closed. */
  async over(): Promise<void> {
    await until(() => this.ended || this.closed, {
      what: `the end of a connection that received ${JSON.stringify(this.received.slice(-400))}`,
    });
  }

  /** @internal called by the socket */
  flush(): void {
    if (this.closed || this.waiting.length === 0) return;
    const taken = Math.max(this.socket.write(this.waiting), 0);
    this.waiting = this.waiting.subarray(taken);
  }
}

const events = {
  data(socket: Socket<RawConnection>, bytes: Buffer) {
    socket.data.received += bytes.toString("latin1");
    socket.data.onChange();
  },
  drain(socket: Socket<RawConnection>) {
    socket.data.flush();
  },
  end(socket: Socket<RawConnection>) {
    socket.data.ended = true;
    socket.data.onChange();
  },
  close(socket: Socket<RawConnection>, error: Error | null | undefined) {
    socket.data.closed = true;
    // After our own FIN the other one closes the socket without an `end` of its own.
    if (error === undefined || error === null) socket.data.ended = true;
    else socket.data.broken = true;
    socket.data.onChange();
  },
  error(socket: Socket<RawConnection>) {
    socket.data.broken = true;
    socket.data.onChange();
  },
};

/** Opens a connection that sends and keeps raw bytes. */
export async function rawClient(port: number, host = "127.0.0.1"): Promise<RawConnection> {
  const socket = await Bun.connect<RawConnection>({
    hostname: host,
    port,
    allowHalfOpen: true,
    socket: {
      ...events,
      open(opened) {
        opened.data = new RawConnection(opened);
      },
    },
  });
  return socket.data;
}

/** Sends bytes on a connection of its own, waits until the other end is done, and returns what came back. */
export async function ask(port: number, data: string | Uint8Array): Promise<string> {
  const client = await rawClient(port);
  client.send(data);
  await client.over();
  client.close();
  return client.received;
}

/** What an upstream does on a connection; called after each change on it. */
export type Script = (connection: RawConnection) => void;

/** An upstream that keeps every byte of every connection and does what its script says. */
export class RawUpstream {
  readonly connections: RawConnection[] = [];
  /** May be replaced at any time. */
  script: Script;
  private readonly server: TCPSocketListener<RawConnection>;

  constructor(script: Script = () => {}, port = 0) {
    this.script = script;
    this.server = Bun.listen<RawConnection>({
      hostname: "127.0.0.1",
      port,
      allowHalfOpen: true,
      socket: { ...events, open: (socket) => this.opened(socket) },
    });
  }

  get port(): number {
    return this.server.port;
  }

  /** All bytes of all connections, in the order in which those were opened. */
  get received(): string {
    return this.connections.map((connection) => connection.received).join("");
  }

  /** Forgets what was received, and closes what is open. */
  forget(): void {
    for (const connection of this.connections.splice(0)) connection.close();
  }

  stop(): void {
    this.server.stop(true);
  }

  private opened(socket: Socket<RawConnection>): void {
    const connection = new RawConnection(socket);
    socket.data = connection;
    this.connections.push(connection);
    connection.onChange = () => {
      this.script(connection);
      if (connection.ended && !connection.closed) connection.close();
    };
  }
}

/** Answers with these bytes once per occurrence of `after` in what was received. */
export function answering(answer: string | Uint8Array, after = "\r\n\r\n"): Script {
  const answered = new WeakMap<RawConnection, number>();
  return (connection) => {
    const wanted = connection.received.split(after).length - 1;
    for (let given = answered.get(connection) ?? 0; given < wanted; given++) connection.send(answer);
    answered.set(connection, wanted);
  };
}

/** A complete answer with this body. */
export function ok(body = "ok", fields = ""): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${bytesOf(body).length}\r\n${fields}\r\n${body}`;
}
