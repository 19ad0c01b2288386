/** How connections end: every answer arrives whole or visibly broken, and nobody keeps a connection for nothing. */
import { afterEach, expect, test } from "bun:test";
import { forwardTo, type ListenerOptions, respond, TestEngine } from "../kit/engine.ts";
import { answering, ask, ok, RawUpstream, rawClient, type Script } from "../kit/raw.ts";
import { statusOf, strictAnswers, strictRequests } from "../kit/strict.ts";
import { until } from "../kit/until.ts";

const open: { stop(): void }[] = [];

afterEach(() => {
  for (const part of open.splice(0).reverse()) part.stop();
});

async function setUp(script: Script, options: Partial<ListenerOptions> = {}) {
  const upstream = new RawUpstream(script);
  const engine = await TestEngine.start({ routes: forwardTo(upstream.port), ...options });
  open.push(upstream, engine);
  return { upstream, engine };
}

function counter(engine: TestEngine, code: string): number {
  return engine.thread.counted.get(`outrigger_failures_total{code=${code}}`) ?? 0;
}

const get = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const answered = new WeakMap<object, number>();

test("an upstream that dies in the middle of its answer breaks the client's connection, and is counted once", async () => {
  const { engine } = await setUp((upstream) => {
    if (!upstream.received.endsWith("\r\n\r\n") || upstream.ended) return;
    upstream.send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc");
    setTimeout(() => upstream.close(), 20);
  });
  const client = await rawClient(engine.port());
  client.send(get);
  await until(() => client.closed, { what: "the client's connection to close" });
  expect(client.received).toEndWith("\r\n\r\nabc");
  expect(client.broken).toBe(true);
  expect(counter(engine, "upstream_body_broken")).toBe(1);
  expect(counter(engine, "client_closed")).toBe(0);
  expect(engine.traffic.active).toEqual({ connections: 0, exchanges: 0 });
});

test("an HTTP/1.0 client cannot take a broken answer for a whole one", async () => {
  const { engine } = await setUp((upstream) => {
    if (!upstream.received.endsWith("\r\n\r\n") || upstream.ended) return;
    upstream.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
    setTimeout(() => upstream.close(), 20);
  });
  const client = await rawClient(engine.port());
  client.send("GET / HTTP/1.0\r\nHost: a\r\n\r\n");
  await until(() => client.closed, { what: "the client's connection to close" });
  expect(client.received).toEndWith("\r\n\r\nabc");
  expect({ broken: client.broken, ended: client.ended }).toEqual({ broken: true, ended: false });
});

test("a client that leaves is counted and reported once, and its upstream is let go", async () => {
  const { engine, upstream } = await setUp(() => {});
  const client = await rawClient(engine.port());
  client.send(get);
  await until(() => upstream.received.endsWith("\r\n\r\n"), { what: "the request at the upstream" });
  client.reset();
  await until(() => upstream.connections[0]!.closed, { what: "the upstream's connection to close" });
  expect(counter(engine, "client_closed")).toBe(1);
  expect(engine.thread.codes).toEqual(["client_closed"]);
  expect(engine.traffic.active).toEqual({ connections: 0, exchanges: 0 });
});

test("exchanges that a stop cuts count as stopped, not as clients that left", async () => {
  const { engine, upstream } = await setUp(() => {});
  const client = await rawClient(engine.port());
  client.send(get);
  await until(() => upstream.received.endsWith("\r\n\r\n"), { what: "the request at the upstream" });
  engine.stop();
  expect(engine.thread.codes).toEqual(["stopped"]);
  await client.over();
  expect(strictAnswers(client.received).messages.map(statusOf)).toEqual([503]);
});

const mebibyte = 1024 * 1024;

/** Reads nothing for longer than the engine lingers, then everything. */
async function readLate(port: number, request: string, closesItsSide: boolean): Promise<string> {
  const client = await rawClient(port);
  client.pause();
  client.send(request);
  if (closesItsSide) client.finish();
  await Bun.sleep(1800);
  client.resume();
  await client.over();
  return client.received;
}

test("slow readers get the whole of an answer that ends their connection, whoever made it and whatever its size", async () => {
  const sizes = [1, 3, 5, 24].map((count) => count * mebibyte);
  const { engine, upstream } = await setUp((connection) => {
    const size = /^GET \/up\/(\d+) .*\r\n\r\n$/s.exec(connection.received)?.[1];
    if (size !== undefined && !connection.ended) connection.send(ok("x".repeat(Number(size))));
  });
  const own = sizes.map((size) => ({
    match: { path: { exact: `/own/${size}` } },
    action: respond(200, "x".repeat(size)),
  }));
  await engine.apply({ routes: [...own, { action: forwardTo(upstream.port) }], timeouts: { idleMs: 30_000 } });
  const wanted = sizes.flatMap((size) =>
    [true, false].flatMap((closesItsSide) =>
      ["own", "up"].map(async (maker) => {
        const request = `GET /${maker}/${size} HTTP/1.1\r\nHost: a\r\n${closesItsSide ? "" : "Connection: close\r\n"}\r\n`;
        const received = await readLate(engine.port(), request, closesItsSide);
        return { maker, size, got: strictAnswers(received).messages[0]?.body.length };
      }),
    ),
  );
  for (const { maker, size, got } of await Promise.all(wanted))
    expect({ maker, size, got }).toEqual({ maker, size, got: size });
});

test("a reader that never takes its answer is let go after the keep-alive time", async () => {
  const { engine } = await setUp(() => {}, {
    routes: respond(200, "x".repeat(32 * 1024 * 1024)),
    timeouts: { keepAliveMs: 300 },
  });
  const client = await rawClient(engine.port());
  client.pause();
  client.send(get);
  await until(() => engine.traffic.active.connections === 1, { what: "the connection" });
  await until(() => engine.traffic.active.connections === 0, { what: "the connection to be closed" });
});

test("a reader that never takes its last answer is let go after the idle time", async () => {
  const { engine } = await setUp(() => {}, {
    routes: respond(200, "x".repeat(32 * 1024 * 1024)),
    timeouts: { idleMs: 300 },
  });
  const client = await rawClient(engine.port());
  client.pause();
  client.send("GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  await until(() => engine.traffic.active.connections === 1, { what: "the connection" });
  await until(() => engine.traffic.active.connections === 0, { what: "the connection to be closed" });
});

test("pipelined requests are all answered, in order, when the client closes its side behind them", async () => {
  const { engine, upstream } = await setUp((connection) => {
    const { messages } = strictRequests(connection.received);
    const paths = messages.map(({ line }) => line.split(" ")[1]!);
    const given = answered.get(connection) ?? 0;
    answered.set(connection, paths.length);
    for (const path of paths.slice(given)) setTimeout(() => connection.send(ok(path)), 10);
  });
  const client = await rawClient(engine.port());
  client.send([1, 2, 3, 4, 5].map((i) => `GET /${i} HTTP/1.1\r\nHost: a\r\n\r\n`).join(""));
  client.finish();
  await client.over();
  expect(strictAnswers(client.received).messages.map(({ body }) => body)).toEqual(["/1", "/2", "/3", "/4", "/5"]);
  expect(upstream.connections).toHaveLength(1);
});

test("an upstream that answers before it has the whole request is asked nothing else on that connection", async () => {
  const { engine, upstream } = await setUp(answering(ok("early"), "\r\n\r\n"));
  const client = await rawClient(engine.port());
  client.send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nabc");
  await client.over();
  const { messages } = strictAnswers(client.received);
  expect(messages.map(({ body, fields }) => [body, fields.at(-1)])).toEqual([["early", ["connection", "close"]]]);
  await ask(engine.port(), "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
  await until(() => upstream.connections[0]!.ended || upstream.connections[0]!.closed, {
    what: "the first connection to end",
  });
  expect(upstream.connections.map(({ received }) => received.includes("/next"))).toEqual([false, true]);
});

test("a half request behind a good one is dropped without a word when the client closes its side", async () => {
  const { engine } = await setUp(answering(ok()));
  const client = await rawClient(engine.port());
  client.send(`${get}GET /half HTTP/1.1\r\nHo`);
  client.finish();
  await client.over();
  expect(strictAnswers(client.received).messages.map(statusOf)).toEqual([200]);
});

test.each([
  ["one packet", ["GET /#a"]],
  ["two packets", ["GE", "T /#a"]],
  ["a packet per byte", [..."GET /#a"]],
])("a fault in a line that never ends is answered when the client closes its side: %s", async (_, pieces) => {
  const { engine } = await setUp(() => {});
  const client = await rawClient(engine.port());
  await client.sendPieces(pieces);
  client.finish();
  await client.over();
  expect(strictAnswers(client.received).messages.map(statusOf)).toEqual([400]);
});

test("a fault in a line that never ends is answered as what it is when the time for the head is over", async () => {
  const { engine } = await setUp(() => {}, { timeouts: { headMs: 300 } });
  const client = await rawClient(engine.port());
  await client.sendPieces([..."GET /#a"]);
  await client.over();
  expect(engine.thread.codes).toEqual(["bad_request_line"]);
});

test("a head that does not get complete in time is answered with 408", async () => {
  const { engine } = await setUp(() => {}, { timeouts: { headMs: 300 } });
  const client = await rawClient(engine.port());
  client.send("GET / HTTP/1.1\r\nHost: a\r\n");
  await client.over();
  expect(strictAnswers(client.received).messages.map(statusOf)).toEqual([408]);
});

test("an empty line behind a request begins no next one: the connection is idle, and ends like that", async () => {
  const { engine } = await setUp(answering(ok()), { timeouts: { headMs: 300, keepAliveMs: 900 } });
  const client = await rawClient(engine.port());
  await client.sendPieces([get, "\r", "\n"]);
  await client.receives("\r\n\r\nok");
  await Bun.sleep(600);
  expect(client.ended).toBe(false);
  await client.over();
  expect(strictAnswers(client.received).messages.map(statusOf)).toEqual([200]);
  expect(engine.thread.codes).toEqual([]);
});

test("half an empty line behind a request is the beginning of a head, which has its time", async () => {
  const { engine } = await setUp(answering(ok()), { timeouts: { headMs: 300 } });
  const client = await rawClient(engine.port());
  await client.sendPieces([get, "\r"]);
  await client.over();
  expect(strictAnswers(client.received).messages.map(statusOf)).toEqual([200, 408]);
});
