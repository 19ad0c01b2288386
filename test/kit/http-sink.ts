/**
 * A destination of HTTP requests that takes nothing for granted: it reads bytes itself, keeps every request as it came,
 * and answers by a schedule, also with nothing, half an answer or a reset.
 */
import { Buffer } from "node:buffer";

export interface SinkRequest {
  readonly method: string;
  readonly target: string;
  /** By lower-case name; a field that stands there twice is a fault. */
  readonly headers: Readonly<Record<string, string>>;
  /** As it came. */
  readonly raw: Buffer;
  /** Decompressed, where `content-encoding` says that it is. */
  readonly body: Buffer;
}

/** What is answered: a status with what belongs to it, or one of the ways to answer badly. */
export type SinkAnswer =
  | {
      readonly status: number;
      readonly headers?: Readonly<Record<string, string>>;
      readonly body?: string | Uint8Array;
    }
  /** Nothing at all. */
  | "hang"
  /** The connection is reset. */
  | "reset"
  /** Half of an answer, then the end. */
  | "half";

type Answering = (request: SinkRequest, index: number) => SinkAnswer | Promise<SinkAnswer>;

interface SinkSocket {
  input: Buffer;
  /** Of answers, what the connection has not taken. */
  unsent: Buffer;
  busy: boolean;
}

export class HttpSink {
  readonly requests: SinkRequest[] = [];
  /** Connections that were ever opened. */
  connections = 0;
  /** What was wrong with requests. Must be empty at the end of a test. */
  readonly faults: string[] = [];
  answer: Answering;
  private readonly listener;

  constructor(
    answer: Answering = () => ({ status: 204 }),
    tls?: { cert: string; key: string; ca?: string; requestCert?: boolean },
  ) {
    this.answer = answer;
    this.listener = Bun.listen<SinkSocket>({
      hostname: "127.0.0.1",
      port: 0,
      ...(tls === undefined ? {} : { tls }),
      socket: {
        open: (socket) => {
          this.connections++;
          socket.data = { input: Buffer.alloc(0), unsent: Buffer.alloc(0), busy: false };
        },
        data: (socket, bytes) => {
          socket.data.input = Buffer.concat([socket.data.input, bytes]);
          void this.read(socket);
        },
        drain: send,
        error: () => {},
      },
    });
  }

  get port(): number {
    return this.listener.port;
  }

  get url(): string {
    return `http://127.0.0.1:${this.port}`;
  }

  stop(): void {
    this.listener.stop(true);
  }

  private async read(socket: Bun.Socket<SinkSocket>): Promise<void> {
    if (socket.data.busy) return;
    socket.data.busy = true;
    for (let found = this.next(socket.data); found !== undefined; found = this.next(socket.data)) {
      const index = this.requests.push(found) - 1;
      write(socket, await this.answer(found, index), found.method);
    }
    socket.data.busy = false;
  }

  private next(data: SinkSocket): SinkRequest | undefined {
    const end = data.input.indexOf("\r\n\r\n");
    if (end < 0) return undefined;
    const [line = "", ...fields] = data.input.subarray(0, end).toString("latin1").split("\r\n");
    const headers = this.headersOf(fields);
    const length = Number(headers["content-length"] ?? 0);
    if (data.input.length < end + 4 + length) return undefined;
    const raw = Buffer.from(data.input.subarray(end + 4, end + 4 + length));
    data.input = Buffer.from(data.input.subarray(end + 4 + length));
    const [method = "", target = "", version] = line.split(" ");
    if (version !== "HTTP/1.1") this.faults.push(`request line ${line}`);
    if (headers["transfer-encoding"] !== undefined) this.faults.push("a body without a length");
    return { method, target, headers, raw, body: this.decoded(raw, headers["content-encoding"]) };
  }

  private headersOf(fields: readonly string[]): Record<string, string> {
    const headers: Record<string, string> = {};
    for (const field of fields) {
      const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ([\t\x20-\x7e\x80-\xff]*)$/.exec(field) ?? [];
      if (name === undefined || value === undefined) this.faults.push(`field ${field}`);
      else if (headers[name.toLowerCase()] !== undefined) this.faults.push(`field ${name} twice`);
      else headers[name.toLowerCase()] = value;
    }
    if (headers.host === undefined) this.faults.push("no Host");
    return headers;
  }

  private decoded(raw: Buffer, encoding: string | undefined): Buffer {
    if (encoding === undefined) return raw;
    if (encoding === "gzip") return Buffer.from(Bun.gunzipSync(new Uint8Array(raw)));
    if (encoding === "zstd") return Bun.zstdDecompressSync(new Uint8Array(raw));
    this.faults.push(`content-encoding ${encoding}`);
    return raw;
  }
}

function write(socket: Bun.Socket<SinkSocket>, answer: SinkAnswer, method: string): void {
  if (answer === "hang") return;
  if (answer === "reset") {
    socket.terminate();
    return;
  }
  if (answer === "half") {
    socket.write("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhal");
    socket.end();
    return;
  }
  const body = Buffer.from(answer.body ?? "");
  const isBare = answer.status === 204 || answer.status === 304;
  let head = `HTTP/1.1 ${answer.status} Status\r\n`;
  for (const [name, value] of Object.entries(answer.headers ?? {})) head += `${name}: ${value}\r\n`;
  if (!isBare) head += `Content-Length: ${body.length}\r\n`;
  const said = isBare || method === "HEAD" ? Buffer.alloc(0) : body;
  socket.data.unsent = Buffer.concat([socket.data.unsent, Buffer.from(`${head}\r\n`, "latin1"), said]);
  send(socket);
}

function send(socket: Bun.Socket<SinkSocket>): void {
  const { data } = socket;
  if (data.unsent.length > 0) data.unsent = data.unsent.subarray(Math.max(0, socket.write(data.unsent)));
}
