/** Origins that keep every byte, behind an engine without sockets, read by the independent parser of `kit/strict.ts`. */
import type { FakeNetwork, FakeSocket, FarEnd } from "../kit/fake-network.ts";
import { bytesOf, ok } from "../kit/raw.ts";
import { type StrictMessage, strictAnswers, strictRequests } from "../kit/strict.ts";

/** One connection of the engine to an origin. */
export class OriginConnection implements FarEnd {
  received = "";
  /** The engine has closed it, or broken it off. */
  over = false;
  answered = 0;
  readonly socket: FakeSocket;

  constructor(socket: FakeSocket) {
    this.socket = socket;
  }

  onBytes(bytes: Buffer): void {
    this.received += bytes.toString("latin1");
  }
  onFin(): void {
    this.over = true;
  }
  onReset(): void {
    this.over = true;
  }

  /** Puts bytes on their way to the engine, in pieces of that many bytes. */
  send(bytes: string, size = Number.POSITIVE_INFINITY): void {
    const all = bytesOf(bytes);
    for (let at = 0; at < all.length; at += size) this.socket.deliver([all.subarray(at, at + size)]);
  }
}

/** What an origin says to a request; undefined for nothing. */
export type Answering = (request: StrictMessage, connection: OriginConnection) => void;

export const wellBehaved: Answering = (_, connection) => connection.send(ok());

export class RecordingOrigin {
  readonly connections: OriginConnection[] = [];
  private readonly network: FakeNetwork;

  constructor(network: FakeNetwork) {
    this.network = network;
    network.upstream = (socket) => {
      const connection = new OriginConnection(socket);
      this.connections.push(connection);
      return connection;
    };
  }

  /** Lets everything happen; whole requests are answered. */
  settle(answer: Answering = wellBehaved): void {
    do this.network.run();
    while (this.connections.map((connection) => this.answer(connection, answer)).includes(true));
  }

  private answer(connection: OriginConnection, answer: Answering): boolean {
    const fresh = strictRequests(connection.received).messages.slice(connection.answered);
    connection.answered += fresh.length;
    for (const message of fresh) answer(message, connection);
    return fresh.length > 0;
  }
}

export interface Seen {
  /** Whole requests that origins got, without the lines that every inbound request is given. */
  readonly forwarded: readonly string[];
  /** What makes an origin's bytes no sequence of canonical requests, or leaves half a one on an open connection. */
  readonly doubt: readonly string[];
  readonly statuses: readonly number[];
  /** The client's connection was ended by the engine. */
  readonly closed: boolean;
  /** What the client got that is no whole answer. */
  readonly rest: string;
}

const ours =
  /x-forwarded-for: 127\.0\.0\.1\r\nx-forwarded-proto: http\r\nvia: 1\.1 outrigger\r\nx-request-id: [0-9a-f-]+\r\n/g;

/**
 * Sends the pieces, each a packet, on a connection of its own, and tells what came of it on both sides.
 * @param ends the client closes its side behind them
 */
export function sendPieces(network: FakeNetwork, pieces: readonly string[], methods: string[], ends = false): Seen {
  const origin = new RecordingOrigin(network);
  const { end, socket } = network.client();
  socket.deliver(pieces.map(bytesOf));
  if (ends) socket.deliverFin();
  origin.settle();
  const { messages, rest, fault } = strictAnswers(end.received, methods, end.ended);
  const readings = origin.connections.map(({ received, over }) => ({ ...strictRequests(received), over }));
  const seen: Seen = {
    forwarded: readings.flatMap((reading) => reading.messages.map(({ raw }) => raw.replace(ours, ""))),
    doubt: readings.flatMap((reading) =>
      reading.fault !== undefined ? [reading.fault] : reading.rest !== "" && !reading.over ? [reading.rest] : [],
    ),
    statuses: messages.map(({ line }) => Number(line.slice(9, 12))),
    closed: end.ended || end.broken,
    rest: fault === undefined ? rest : `${fault}: ${rest}`,
  };
  clear(network);
  return seen;
}

/** Closes what is open, on both sides, so that the next case begins with no connections. */
export function clear(network: FakeNetwork): void {
  for (const { connection } of [...network.sockets]) connection.destroy();
  network.run();
}
