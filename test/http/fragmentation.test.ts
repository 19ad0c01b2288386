/** How bytes are cut into packets, and in which order sockets get their turn, changes nothing. */
import { describe, expect, test } from "bun:test";
import * as z from "zod";
import { defineFilter } from "../../src/contracts.ts";
import { forwardTo, type ListenerOptions, registryOf, TestEngine } from "../kit/engine.ts";
import { type ClientEnd, FakeNetwork, type FakeSocket, type FarEnd } from "../kit/fake-network.ts";
import { cut, type Seeded, seeded, seedOf } from "../kit/random.ts";
import { bytesOf, RawUpstream, rawClient } from "../kit/raw.ts";
import { type StrictMessage, strictAnswers, strictRequests } from "../kit/strict.ts";
import { answerTo, badRequest, goodRequest, mutated, type RandomRequest } from "./messages.ts";

/** What can be seen from outside of a connection's life. */
interface Seen {
  readonly answers: readonly unknown[];
  readonly unread: string;
  readonly broken: boolean;
  readonly codes: readonly string[];
  readonly requests: readonly unknown[];
}

/** Reads requests and answers them, when it feels like it or when nothing else happens. */
class UpstreamEnd implements FarEnd {
  received = "";
  private answered = 0;
  /** Length from which on another look is worth its time. */
  private nextLook = 0;
  private readonly socket: FakeSocket;
  private readonly random: Seeded | undefined;

  constructor(socket: FakeSocket, random: Seeded | undefined) {
    this.socket = socket;
    this.random = random;
  }

  onBytes(bytes: Buffer): void {
    this.received += bytes.toString("latin1");
    if (this.received.length < this.nextLook || this.random?.chance(0.1) !== true) return;
    this.nextLook = this.received.length * 1.2;
    this.answer();
  }
  onFin(): void {}
  onReset(): void {}

  /** Returns false when there was nothing to do. */
  answer(): boolean {
    const { messages } = strictRequests(this.received);
    const fresh = messages.slice(this.answered);
    this.answered = messages.length;
    for (const message of fresh) {
      const { bytes, ends } = answerTo(message);
      this.socket.deliver(this.random === undefined ? [bytes] : cut(bytes, this.random));
      if (ends) this.socket.deliverFin();
    }
    return fresh.length > 0;
  }
}

function plainRequest({ line, fields, body, trailers }: StrictMessage): unknown {
  return { line, body, trailers, fields: fields.filter(([name]) => name.toLowerCase() !== "x-request-id") };
}

/** Fields of answers that differ for good reasons: `connection` tells whether the client's FIN had been seen. */
const varying = ["date", "x-request-id", "content-length", "connection"];

function plainAnswer({ line, fields, body, trailers }: StrictMessage): unknown {
  const kept = fields.filter(([name]) => !varying.includes(name));
  return { line, fields: kept, trailers, body: body.replace(/"requestId":"[^"]*"|127\.0\.0\.1:\d+/g, "") };
}

/** Sends the requests on one connection; in pieces and out of step when there is a `random`. */
function send(network: FakeNetwork, requests: readonly RandomRequest[], random: Seeded | undefined): Seen {
  const ends: UpstreamEnd[] = [];
  network.random = random;
  network.thread.events.length = 0;
  network.upstream = (socket) => {
    const end = new UpstreamEnd(socket, random);
    ends.push(end);
    return end;
  };
  const bytes = bytesOf(requests.map((request) => request.bytes).join(""));
  const { end, socket } = network.client();
  socket.deliver(random === undefined ? [bytes] : cut(bytes, random));
  socket.deliverFin();
  do network.run();
  while (ends.map((upstream) => upstream.answer()).includes(true));
  socket.connection.destroy(); // one that still lingers
  network.run();
  for (const idle of network.sockets) idle.connection.destroy(); // the next case begins with no connections
  network.run();
  return seen(
    network.thread.codes,
    end,
    ends.map(({ received }) => received),
    requests,
  );
}

function seen(
  codes: readonly string[],
  { received, ended, broken }: Pick<ClientEnd, "received" | "ended" | "broken">,
  upstream: readonly string[],
  requests: readonly RandomRequest[],
): Seen {
  const { messages, rest, fault } = strictAnswers(
    received,
    requests.map(({ method }) => method),
    ended,
  );
  const readings = upstream.map(strictRequests);
  for (const wrong of [fault, ...readings.map((reading) => reading.fault)]) expect(wrong).toBeUndefined();
  return {
    answers: messages.map(plainAnswer),
    unread: rest,
    broken: broken && !ended,
    codes: [...codes],
    requests: withoutSecondTries(readings.flatMap((reading) => reading.messages.map(plainRequest))),
  };
}

/** A request that was lost on a used connection is sent once more; whether a connection is used depends on time. */
function withoutSecondTries(requests: readonly unknown[]): unknown[] {
  return requests.filter((request, i) => i === 0 || !Bun.deepEquals(request, requests[i - 1]));
}

/** Requests of one connection. HEAD stays out where a request may be refused: nobody knows it was one then. */
function sequence(random: Seeded, refuses: boolean): RandomRequest[] {
  const kind = random.next();
  const methods = refuses || kind >= 0.7 ? ["GET", "POST", "PUT"] : undefined;
  const good = Array.from({ length: 1 + random.whole(4) }, () => goodRequest(random, methods));
  if (kind < 0.7) return good;
  return [...good, kind < 0.85 ? badRequest(random) : mutated(random), goodRequest(random, ["GET"])];
}

const passOn = defineFilter<object>({
  name: "pass-on",
  doc: "Looks at everything and changes nothing.",
  phase: "shape",
  order: 1,
  directions: ["inbound", "outbound"],
  config: z.strictObject({}),
  create: () => ({
    request() {},
    response(x) {
      x.response?.setHeader("x-seen", "1");
    },
    requestBody: (chunk) => chunk,
    responseBody: (chunk) => (chunk.length === 0 ? null : chunk),
    done() {},
  }),
});

const settings: Record<string, [Partial<ListenerOptions>, object]> = {
  inbound: [{}, {}],
  outbound: [{ direction: "outbound" }, {}],
  "small limits": [{ maxBodyBytes: 500 }, { headBytes: 700, headFields: 7 }],
  "filters on everything": [{ policies: { "pass-on": {} } }, {}],
};

const seed = seedOf("fragmentation");
const wanted = 100_000;

/** A comparison by `expect` costs more than the exchange: it is for the one that differs. */
function expectSame(requests: readonly RandomRequest[], whole: Seen, pieces: Seen): void {
  if (!Bun.deepEquals(whole, pieces)) expect({ requests, seen: pieces }).toEqual({ requests, seen: whole });
}

describe("100,000 requests, whole and in pieces, end the same way:", () => {
  test.each(Object.entries(settings))(
    "%s",
    async (name, [options, limits]) => {
      const network = await FakeNetwork.start(options, limits, registryOf(passOn));
      const random = seeded(seed ^ name.length);
      for (let count = 0; count < wanted / Object.keys(settings).length; ) {
        const requests = sequence(random, name === "small limits");
        expectSame(requests, send(network, requests, undefined), send(network, requests, random));
        count += requests.length;
      }
      expect(network.engine.activeExchanges).toBe(0);
      network.stop();
    },
    180_000,
  );
});

/** The same over sockets, on an engine of its own, so that no connection is left over from the case before. */
async function sendBySockets(requests: readonly RandomRequest[], random: Seeded | undefined): Promise<Seen> {
  const answered = new WeakMap<object, number>();
  const upstream = new RawUpstream((connection) => {
    const { messages } = strictRequests(connection.received);
    const fresh = messages.slice(answered.get(connection) ?? 0);
    answered.set(connection, messages.length);
    for (const message of fresh) {
      const { bytes, ends } = answerTo(message);
      const pieces = random === undefined ? [bytes] : cut(bytes, random);
      void connection.sendPieces(pieces).then(() => (ends ? connection.finish() : undefined));
    }
  });
  const engine = await TestEngine.start({ routes: forwardTo(upstream.port) });
  const client = await rawClient(engine.port());
  const bytes = bytesOf(requests.map((request) => request.bytes).join(""));
  await client.sendPieces(random === undefined ? [bytes] : cut(bytes, random));
  client.finish();
  await client.over();
  const result = seen(
    engine.thread.codes,
    { received: client.received, ended: client.ended, broken: client.broken },
    // Each run has an upstream of its own: what came without a Host names its port.
    upstream.connections.map(({ received }) => received.replaceAll(`127.0.0.1:${upstream.port}`, "127.0.0.1:1")),
    requests,
  );
  client.close();
  engine.stop();
  upstream.stop();
  return result;
}

test("1,000 requests over sockets, whole and in pieces, end the same way", async () => {
  const random = seeded(seed);
  for (let count = 0; count < 1000; ) {
    const requests = sequence(random, false);
    expectSame(requests, await sendBySockets(requests, undefined), await sendBySockets(requests, random));
    count += requests.length;
  }
}, 180_000);
