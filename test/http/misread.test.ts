/**
 * CL.0: an upstream that overlooks a body reads it as the next request, and answers it. Whoever is next on that
 * connection would get that answer, so nobody may be.
 */
import { afterEach, expect, test } from "bun:test";
import { forwardTo, TestEngine } from "../kit/engine.ts";
import { ask, ok, RawUpstream, rawClient } from "../kit/raw.ts";
import { strictAnswers } from "../kit/strict.ts";

const open: { stop(): void }[] = [];

afterEach(() => {
  for (const part of open.splice(0).reverse()) part.stop();
});

/** Answers each head with its target, the poison a while later, as if bodies did not exist. */
async function overlooking() {
  const answered = new WeakMap<object, number>();
  const upstream = new RawUpstream((connection) => {
    const heads = [...connection.received.matchAll(/(?:[A-Z]+) (\S+) HTTP\/1\.1\r\n/g)];
    const given = answered.get(connection) ?? 0;
    answered.set(connection, heads.length);
    for (const [i, head] of heads.slice(given).entries())
      setTimeout(() => connection.closed || connection.send(ok(head[1]!)), i * 100);
  });
  const engine = await TestEngine.start({ routes: forwardTo(upstream.port) });
  open.push(upstream, engine);
  return { upstream, engine };
}

const inner = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
const chunk = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`;

function bodiesOf(received: string): string[] {
  return strictAnswers(received).messages.map(({ body }) => body);
}

test.each(["GET", "DELETE", "OPTIONS"].flatMap((method) => [false, true].map((chunked) => [method, chunked] as const)))(
  "a body with %s (chunked: %p) is the last thing its connection carries",
  async (method, chunked) => {
    const { engine, upstream } = await overlooking();
    const framing = chunked ? "Transfer-Encoding: chunked" : `Content-Length: ${inner.length}`;
    const client = await rawClient(engine.port());
    client.send(`${method} /first HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n${chunked ? chunk : inner}`);
    await client.receives("/first");
    expect(bodiesOf(await ask(engine.port(), "GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))).toEqual([
      "/b",
    ]);
    client.send("GET /c HTTP/1.1\r\nHost: a\r\n\r\n");
    await client.receives((received) => bodiesOf(received).length === 2, "a second answer");
    expect(bodiesOf(client.received)).toEqual(["/first", "/c"]);
    expect(upstream.connections.length).toBeGreaterThanOrEqual(2);
  },
);

test("an answer that began before the body came is the last on its connection, also when the body comes after all", async () => {
  const upstream = new RawUpstream((connection) => {
    if (parts.length === 0) return;
    const whole = connection.received.includes("smuggled");
    if (whole === (parts.length === 1)) connection.send(parts.shift()!);
  });
  const parts = ["HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n/fi", "rst"];
  const engine = await TestEngine.start({ routes: forwardTo(upstream.port) });
  open.push(upstream, engine);
  const client = await rawClient(engine.port());
  client.send(`POST /first HTTP/1.1\r\nHost: a\r\nContent-Length: ${inner.length}\r\n\r\n`);
  await client.receives("/fi");
  client.send(inner);
  await client.receives("/first");
  upstream.script = (connection) =>
    connection.received.includes("/b") && connection.send(ok(connection.received.includes("/first") ? "poison" : "/b"));
  expect(bodiesOf(await ask(engine.port(), "GET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"))).toEqual(["/b"]);
  expect(upstream.connections.map(({ received }) => received.includes("/b"))).toEqual([false, true]);
});

test("a body with POST, and GET without one, leave the connection to others", async () => {
  const { engine, upstream } = await overlooking();
  const client = await rawClient(engine.port());
  for (const request of [
    "POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi",
    "GET /g HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
  ]) {
    const before = bodiesOf(client.received).length;
    client.send(request);
    await client.receives((received) => bodiesOf(received).length > before, "the next answer");
  }
  expect(upstream.connections).toHaveLength(1);
});
