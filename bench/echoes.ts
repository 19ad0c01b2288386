/** Clients that upgrade to WebSocket (RFC 6455) and then send a message and wait for its echo, over and over. */
import type { Socket } from "bun";
import type { Clients } from "./load.ts";

interface Client {
  dueAt: number;
  /** What came of an answer that is not complete yet. */
  pending: Buffer | undefined;
  /** What of a frame the kernel did not take yet. */
  unsent: Buffer | undefined;
  /** Called with the head of the answer to the upgrade. */
  upgraded: ((head: string) => void) | undefined;
}

const HEAD_END = "\r\n\r\n";
/** The sample nonce of RFC 6455 section 1.3 and what a server must make of it. */
const KEY = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const UPGRADE = `GET /echo HTTP/1.1\r\nHost: bench.local\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\n\r\n`;
/** Final fragment, binary. */
const FINAL_BINARY = 0x82;
const MASKED = 0x80;

/** One whole message as a client sends it (section 5.2); all zeros is a mask like any other. */
export function clientFrame(payload: Buffer, mask = Buffer.from([0x5a, 0x13, 0xc7, 0x28])): Buffer {
  const head = serverHead(payload.length);
  head[1]! |= MASKED;
  const masked = payload.map((byte, i) => byte ^ mask[i % 4]!);
  return Buffer.concat([head, mask, masked]);
}

/** The same message as a server sends it. */
export function serverFrame(payload: Buffer): Buffer {
  return Buffer.concat([serverHead(payload.length), payload]);
}

function serverHead(length: number): Buffer {
  if (length < 126) return Buffer.from([FINAL_BINARY, length]);
  if (length > 0xffff) throw new Error("the bench sends no messages above 64 KiB");
  return Buffer.from([FINAL_BINARY, 126, length >> 8, length & 0xff]);
}

export class Echoes implements Clients<Socket<Client>> {
  answered = 0;
  failed = 0;
  firstFailure: string | undefined;
  fault: Error | undefined;
  onAnswer: (socket: Socket<Client>) => void = () => {};
  readonly sockets: Socket<Client>[] = [];
  readonly #frame: Buffer;
  readonly #echo: Buffer;
  #closing = false;

  private constructor(payload: Buffer) {
    this.#frame = clientFrame(payload);
    this.#echo = serverFrame(payload);
  }

  /** Connects and upgrades all of them. @throws with the answer when one was not a proper 101 */
  static async connect(target: { port: number; connections: number; payload: Buffer }): Promise<Echoes> {
    const echoes = new Echoes(target.payload);
    for (let i = 0; i < target.connections; i++) echoes.sockets.push(await echoes.#open(target.port));
    return echoes;
  }

  ask(socket: Socket<Client>, dueAt = 0): void {
    socket.data.dueAt = dueAt;
    this.#send(socket, this.#frame);
  }

  close(): void {
    this.#closing = true;
    for (const socket of this.sockets) socket.terminate();
  }

  #send(socket: Socket<Client>, bytes: Buffer): void {
    const taken = Math.max(0, socket.write(bytes));
    socket.data.unsent = taken < bytes.length ? bytes.subarray(taken) : undefined;
  }

  async #open(port: number): Promise<Socket<Client>> {
    const { promise, resolve } = Promise.withResolvers<string>();
    const socket = await Bun.connect<Client>({
      hostname: "127.0.0.1",
      port,
      data: { dueAt: 0, pending: undefined, unsent: undefined, upgraded: resolve },
      socket: {
        data: (one, chunk) => this.#read(one, chunk),
        drain: (one) => {
          if (one.data.unsent) this.#send(one, one.data.unsent);
        },
        close: (one) => {
          one.data.upgraded?.("the connection was closed");
          if (!this.#closing) this.#fail("a connection was closed");
        },
        error: (_, fault) => {
          this.fault ??= fault;
        },
      },
    });
    socket.write(UPGRADE);
    const head = await promise;
    if (!/^HTTP\/1\.1 101 /.test(head) || !head.includes(ACCEPT)) {
      this.close();
      throw new Error(`the upgrade to WebSocket was answered with\n${head}`);
    }
    return socket;
  }

  #read(socket: Socket<Client>, chunk: Buffer): void {
    const { data: client } = socket;
    const bytes = client.pending ? Buffer.concat([client.pending, chunk]) : chunk;
    client.pending = undefined;
    if (client.upgraded) this.#readHead(socket, bytes);
    else if (bytes.length < this.#echo.length) client.pending = bytes;
    else {
      if (!bytes.equals(this.#echo)) this.#fail("an echo was not what was sent");
      this.answered++;
      this.onAnswer(socket);
    }
  }

  #fail(what: string): void {
    this.failed++;
    this.firstFailure ??= what;
  }

  #readHead({ data: client }: Socket<Client>, bytes: Buffer): void {
    const end = bytes.indexOf(HEAD_END);
    if (end < 0) {
      client.pending = bytes;
      return;
    }
    if (bytes.length > end + HEAD_END.length) this.#fail("bytes came that nobody sent");
    client.upgraded?.(bytes.toString("latin1", 0, end));
    client.upgraded = undefined;
  }
}
