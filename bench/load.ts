/**
 * The load: clients on keep-alive connections that ask, read the whole answer and ask again. In a closed loop each
 * connection asks as soon as it is answered; at a fixed rate requests fall due by the clock, whatever the answers do.
 */
import type { Socket } from "bun";

export interface Target {
  port: number;
  connections: number;
  /** TLS with any certificate. */
  tls?: boolean;
  /** Whole requests as they go on the wire; taken in turn by all connections. */
  requests: readonly Buffer[];
}

/** Clients of some protocol, as the loops below drive them; `S` is one connection. */
export interface Clients<S extends { data: { dueAt: number } }> {
  /** Complete answers so far, failed ones included. */
  readonly answered: number;
  readonly failed: number;
  /** What the first failure was, in words. */
  readonly firstFailure: string | undefined;
  /** The first thing that could not be understood at all. */
  readonly fault: Error | undefined;
  /** Called after each answer. The connection is free until it is asked again. */
  onAnswer: (connection: S) => void;
  readonly sockets: readonly S[];
  ask(connection: S, dueAt?: number): void;
  close(): void;
}

/** What one connection is in the middle of. */
interface Client {
  /** Start of an answer whose head is not complete. */
  pending: Buffer | undefined;
  /** Bytes of body still to come. */
  bodyLeft: number;
  /** `performance.now()` at which the request under way was due. */
  dueAt: number;
}

const HEAD_END = "\r\n\r\n";

export class Load implements Clients<Socket<Client>> {
  /** Complete answers, whatever their status. */
  answered = 0;
  /** Everything else: other statuses, connections that broke, writes the kernel did not take. */
  failed = 0;
  firstFailure: string | undefined;
  /** The first answer that could not be read at all. */
  fault: Error | undefined;
  /** Called after each answer. The connection is free until it is asked again. */
  onAnswer: (socket: Socket<Client>) => void = () => {};
  readonly #target: Target;
  readonly #sockets: Socket<Client>[] = [];
  #next = 0;
  #plainBytes = -1;
  #closing = false;

  private constructor(target: Target) {
    this.#target = target;
  }

  static async connect(target: Target): Promise<Load> {
    const load = new Load(target);
    // A connection after the other: a burst of a thousand would overflow backlogs.
    for (let i = 0; i < target.connections; i++) load.#sockets.push(await load.#open());
    return load;
  }

  get sockets(): readonly Socket<Client>[] {
    return this.#sockets;
  }

  ask(socket: Socket<Client>, dueAt = 0): void {
    const { requests } = this.#target;
    const request = requests[this.#next]!;
    this.#next = this.#next + 1 === requests.length ? 0 : this.#next + 1;
    socket.data.dueAt = dueAt;
    if (socket.write(request) !== request.length) this.#fail("the kernel did not take a whole request");
  }

  close(): void {
    this.#closing = true;
    for (const socket of this.#sockets) socket.terminate();
  }

  async #open(): Promise<Socket<Client>> {
    const { promise: shaken, resolve } = Promise.withResolvers<void>();
    const socket = await Bun.connect<Client>({
      hostname: "127.0.0.1",
      port: this.#target.port,
      ...(this.#target.tls && { tls: { rejectUnauthorized: false } }),
      data: { pending: undefined, bodyLeft: 0, dueAt: 0 },
      socket: {
        handshake: () => resolve(),
        data: (one, chunk) => this.#read(one, chunk),
        close: () => {
          resolve();
          if (!this.#closing) this.#fail("a connection was closed");
        },
        error: (_, fault) => {
          this.fault ??= fault;
          this.#fail(fault.message);
        },
      },
    });
    if (this.#target.tls) await shaken;
    return socket;
  }

  #read(socket: Socket<Client>, chunk: Buffer): void {
    const client = socket.data;
    const fresh = client.bodyLeft === 0 && !client.pending;
    // A whole answer of the size the last one had, in one piece: what nearly all of them are.
    if (fresh && chunk.length === this.#plainBytes && isOk(chunk)) this.#finish(socket);
    else if (client.bodyLeft > 0) this.#readBody(socket, chunk);
    else this.#readHead(socket, client.pending ? Buffer.concat([client.pending, chunk]) : chunk);
  }

  #readBody(socket: Socket<Client>, chunk: Buffer): void {
    const left = socket.data.bodyLeft - chunk.length;
    if (left < 0) this.#fail("more body came than was announced");
    socket.data.bodyLeft = Math.max(0, left);
    if (left <= 0) this.#finish(socket);
  }

  #readHead(socket: Socket<Client>, bytes: Buffer): void {
    const headEnd = bytes.indexOf(HEAD_END);
    if (headEnd < 0) {
      socket.data.pending = bytes;
      return;
    }
    socket.data.pending = undefined;
    const size = headEnd + HEAD_END.length + bodyLength(bytes.toString("latin1", 0, headEnd));
    if (!isOk(bytes)) this.#fail(bytes.toString("latin1", 0, headEnd));
    else if (bytes.length > size) this.#fail("more body came than was announced");
    socket.data.bodyLeft = size - bytes.length;
    if (socket.data.bodyLeft > 0) return;
    this.#plainBytes = size;
    this.#finish(socket);
  }

  #fail(what: string): void {
    this.failed++;
    this.firstFailure ??= what;
  }

  #finish(socket: Socket<Client>): void {
    this.answered++;
    this.onAnswer(socket);
  }
}

function isOk(answer: Buffer): boolean {
  return answer[9] === 0x32 && answer[10] === 0x30 && answer[11] === 0x30;
}

function bodyLength(head: string): number {
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
  if (length === undefined) throw new Error(`an answer came without Content-Length:\n${head}`);
  return Number(length);
}

/**
 * Keeps every connection busy for `settleMs` and then for `ms`; calls `mark` at both ends of the second stretch and
 * returns the answers in it. Afterwards no request is under way.
 */
export async function closedLoop<S extends { data: { dueAt: number } }>(
  load: Clients<S>,
  settleMs: number,
  ms: number,
  mark: () => void,
): Promise<number> {
  let under = load.sockets.length;
  load.onAnswer = (socket) => load.ask(socket);
  for (const socket of load.sockets) load.ask(socket);
  await Bun.sleep(settleMs);
  mark();
  const before = load.answered;
  await Bun.sleep(ms);
  const answered = load.answered - before;
  mark();
  load.onAnswer = () => under--;
  await until(load, () => under);
  return answered;
}

/**
 * Lets `perSecond` requests fall due each second on a 1 ms clock for `ms`, and returns for each answer the
 * milliseconds since its request fell due: waiting for a free connection is part of them.
 */
export async function fixedRate<S extends { data: { dueAt: number } }>(
  load: Clients<S>,
  perSecond: number,
  ms: number,
): Promise<number[]> {
  const latenciesMs: number[] = [];
  const free = [...load.sockets];
  const due: number[] = [];
  load.onAnswer = (socket) => {
    latenciesMs.push(performance.now() - socket.data.dueAt);
    const next = due.shift();
    if (next === undefined) free.push(socket);
    else load.ask(socket, next);
  };
  const startedAt = performance.now();
  let issued = 0;
  const issue = (): void => {
    const now = performance.now();
    for (const wanted = (Math.min(now - startedAt, ms) * perSecond) / 1000; issued < wanted; issued++) {
      const socket = free.shift();
      if (socket) load.ask(socket, now);
      else due.push(now);
    }
  };
  const tick = setInterval(issue, 1);
  // A timer may fire a little early: its clock stands still while an event is worked on.
  while (performance.now() < startedAt + ms) await Bun.sleep(Math.max(1, startedAt + ms - performance.now()));
  clearInterval(tick);
  issue();
  await until(load, () => issued - latenciesMs.length);
  return latenciesMs;
}

const PATIENCE_MS = 10_000;

/** Waits until no answer is missing: a proxy that owes one longer than `PATIENCE_MS` has lost it. */
async function until(load: Pick<Load, "fault" | "failed" | "firstFailure">, missing: () => number): Promise<void> {
  for (const startedAt = performance.now(); missing() > 0; await Bun.sleep(5)) {
    if (load.fault) throw load.fault;
    if (performance.now() - startedAt < PATIENCE_MS) continue;
    throw new Error(
      `${missing()} answers are missing ${PATIENCE_MS / 1000} s after the last request; ${load.failed} failed${load.firstFailure ? `, the first with: ${load.firstFailure}` : ""}`,
    );
  }
}
