/** Clients that open a TLS connection for each request: what a handshake costs. */
import type { Socket } from "bun";
import type { Clients } from "./load.ts";

/** A place that holds one connection at a time. */
export interface Slot {
  data: { dueAt: number };
  answer: Buffer;
}

/**
 * `connections` slots; asking one opens a connection, sends the request, reads the whole answer and closes. Sessions
 * are not resumed: the runtime's client offers no ticket.
 */
export class Handshakes implements Clients<Slot> {
  answered = 0;
  failed = 0;
  firstFailure: string | undefined;
  fault: Error | undefined;
  onAnswer: (slot: Slot) => void = () => {};
  readonly sockets: readonly Slot[];
  readonly #target: { port: number; request: Buffer; bodyBytes: number };

  constructor(target: { port: number; request: Buffer; bodyBytes: number; connections: number }) {
    this.#target = target;
    this.sockets = Array.from({ length: target.connections }, () => ({ data: { dueAt: 0 }, answer: Buffer.alloc(0) }));
  }

  ask(slot: Slot, dueAt = 0): void {
    slot.data.dueAt = dueAt;
    slot.answer = Buffer.alloc(0);
    let isOver = false;
    const over = (socket: Socket<undefined> | undefined, fault?: string): void => {
      if (isOver) return;
      isOver = true;
      socket?.end();
      this.answered++;
      if (fault !== undefined) this.failed++;
      this.firstFailure ??= fault;
      // Not at once: the next connection must not nest in this one's callback.
      setImmediate(() => this.onAnswer(slot));
    };
    Bun.connect<undefined>({
      hostname: "127.0.0.1",
      port: this.#target.port,
      tls: { rejectUnauthorized: false },
      socket: {
        handshake: (socket) => {
          if (socket.write(this.#target.request) !== this.#target.request.length) over(socket, "a short write");
        },
        data: (socket, chunk) => {
          slot.answer = Buffer.concat([slot.answer, chunk]);
          const size = this.#size(slot.answer);
          if (size >= 0) over(socket, size === 0 ? undefined : `a wrong answer:\n${slot.answer.toString("latin1")}`);
        },
        close: (socket) => over(socket, "closed before the answer"),
        error: (socket, fault) => over(socket, fault.message),
        connectError: (_, fault) => over(undefined, fault.message),
      },
    }).catch((fault: Error) => over(undefined, fault.message));
  }

  close(): void {}

  /** -1 while more must come, 0 when the answer is whole and right, else how far it is wrong. */
  #size(answer: Buffer): number {
    const headEnd = answer.indexOf("\r\n\r\n");
    if (headEnd < 0) return -1;
    const surplus = answer.length - headEnd - 4 - this.#target.bodyBytes;
    if (surplus < 0) return -1;
    return answer.toString("latin1", 9, 12) === "200" ? surplus : 1;
  }
}
