/**
 * Response queue poisoning: many clients, each with a token of its own, through few connections to an upstream that
 * breaks its answers in every way the engine can notice. Nobody ever sees the token of somebody else.
 *
 * What it cannot notice: a whole, well-formed answer that comes by itself between the moment a connection was taken and
 * its own answer. HTTP/1.1 has no name for answers; that is why nothing may reach an upstream that it reads as two.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { forwardTo, TestEngine } from "../kit/engine.ts";
import { type Seeded, seeded, seedOf } from "../kit/random.ts";
import { ok, RawUpstream, rawClient } from "../kit/raw.ts";
import { type StrictMessage, strictRequests } from "../kit/strict.ts";
import { until } from "../kit/until.ts";

const random = seeded(seedOf("poison"));
const tokenShape = /<c\d+-\d+>/g;

type RawConnection = RawUpstream["connections"][number];

/** One way to answer a request with this token. Extra bytes leave in the same write as the answer that they follow. */
const answers: Record<string, (token: string, connection: RawConnection, random: Seeded) => void> = {
  well: (token, connection) => connection.send(ok(token)),
  "well, in pieces": (token, connection) => void connection.sendPieces([...ok(token)]),
  "well, after a while": (token, connection) =>
    void setTimeout(() => connection.closed || connection.send(ok(token)), 5),
  "well, until the end": (token, connection) => {
    connection.send(`HTTP/1.1 200 OK\r\n\r\n${token}`);
    connection.finish();
  },
  "well, chunked": (token, connection) =>
    connection.send(
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${token.length.toString(16)}\r\n${token}\r\n0\r\n\r\n`,
    ),
  "with early hints": (token, connection) =>
    connection.send(`HTTP/1.1 103 Early Hints\r\nX: ${token}\r\n\r\n${ok(token)}`),
  twice: (token, connection) => connection.send(ok(token) + ok(token)),
  "ten times": (token, connection) => connection.send(ok(token).repeat(10)),
  "longer than declared": (token, connection) =>
    connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n${token}${token}`),
  "shorter than declared": (token, connection) => {
    connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n${token}`);
    connection.finish();
  },
  "shorter, broken off": (token, connection) => {
    connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n${token}`);
    setTimeout(() => connection.reset(), 2);
  },
  "with two lengths": (token, connection) =>
    connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 50\r\n\r\n${token}${ok(token)}`),
  "with both framings": (token, connection) =>
    connection.send(`HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n${ok(token)}`),
  "with LF in a field": (token, connection) => connection.send(`HTTP/1.1 200 OK\r\nX: ${token}\n\n${ok(token)}`),
  "with a bad chunk": (token, connection) =>
    connection.send(`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n${token}\r\n${ok(token)}`),
  "with a 204 that has a body": (token, connection) =>
    connection.send(`HTTP/1.1 204 No Content\r\nContent-Length: ${token.length}\r\n\r\n${token}`),
  "with a 204 and another": (token, connection) => connection.send(`HTTP/1.1 204 No Content\r\n\r\n${ok(token)}`),
  "with a 304 and its body": (token, connection) =>
    connection.send(`HTTP/1.1 304 Not Modified\r\nContent-Length: ${token.length}\r\n\r\n${token}`),
  "with 101": (token, connection) =>
    connection.send(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n${ok(token)}`),
  "with half a head": (token, connection) => {
    connection.send(`HTTP/1.1 200 OK\r\nX: ${token}\r\n`);
    connection.finish();
  },
  "with nothing": (_, connection) => connection.close(),
  "well, and rubbish a while later": (token, connection, seed) => {
    connection.send(ok(token));
    setTimeout(() => connection.closed || connection.send("HTTP/9.9 rubbish\r\n\r\n"), seed.whole(4));
  },
  "well, and the end a while later": (token, connection, seed) => {
    connection.send(ok(token));
    setTimeout(() => connection.close(), seed.whole(4));
  },
};
const kinds = Object.keys(answers);

let upstream: RawUpstream;
let engine: TestEngine;
const counted = new Map<string, number>();

function answer({ line }: StrictMessage, connection: RawConnection): void {
  const token = `<${line.split(" ")[1]!.slice(1)}>`;
  const kind = random.chance(0.4) ? "well" : random.pick(kinds);
  counted.set(kind, (counted.get(kind) ?? 0) + 1);
  answers[kind]!(token, connection, random);
}

beforeAll(async () => {
  const from = new WeakMap<object, number>();
  upstream = new RawUpstream((connection) => {
    let at = from.get(connection) ?? 0;
    for (const message of strictRequests(connection.received.slice(at)).messages) {
      answer(message, connection);
      at += message.raw.length;
    }
    from.set(connection, at);
  });
  engine = await TestEngine.start({ routes: forwardTo(upstream.port) });
});

afterAll(() => {
  engine.stop();
  upstream.stop();
});

const each = 25;

/** Asks one thing after the other on as few connections as it is left. */
async function live(client: number): Promise<void> {
  let connection = await rawClient(engine.port());
  for (let i = 0; i < each; i++) {
    if (connection.ended || connection.closed) connection = await rawClient(engine.port());
    const before = connection.received.length;
    const method = random.pick(["GET", "GET", "HEAD", "POST"]);
    const body = method === "POST" ? "Content-Length: 5\r\n\r\nhello" : "\r\n";
    connection.send(`${method} /c${client}-${i} HTTP/1.1\r\nHost: a\r\n${body}`);
    // Any sign of an answer is enough: the next request may be sent while the rest of it comes.
    await until(() => connection.received.length > before || connection.ended || connection.closed);
    if (random.chance(0.8)) await Bun.sleep(random.whole(3));
    for (const token of connection.received.match(tokenShape) ?? [])
      if (!token.startsWith(`<c${client}-`)) throw new Error(`client ${client} got ${token}: ${connection.received}`);
  }
  connection.close();
}

test("two hundred clients, sixteen at a time, never see each other's tokens, whatever becomes of their own", async () => {
  const clients = Array.from({ length: 200 }, (_, i) => i);
  const worker = async () => {
    for (let next = clients.pop(); next !== undefined; next = clients.pop()) await live(next);
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  const served = upstream.connections.map(({ received }) => strictRequests(received).messages.length);
  expect(upstream.connections.flatMap(({ received }) => strictRequests(received).fault ?? [])).toEqual([]);
  expect([...counted.keys()].sort()).toEqual([...kinds].sort());
  expect(Math.max(...served)).toBeGreaterThan(3);
  expect(served.reduce((sum, count) => sum + count, 0)).toBeGreaterThan(200 * each * 0.8);
}, 60_000);
