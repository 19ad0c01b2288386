/** No request that can be read in two ways reaches an upstream, nor anything that follows it on its connection. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { forwardTo, TestEngine } from "../kit/engine.ts";
import { answering, ask, ok, RawUpstream, rawClient } from "../kit/raw.ts";
import { statusOf, strictAnswers, strictRequests, valuesOf } from "../kit/strict.ts";
import { type Malformed, malformed } from "./malformed.ts";

let upstream: RawUpstream;
let engine: TestEngine;

beforeAll(async () => {
  upstream = new RawUpstream();
  engine = await TestEngine.start({ routes: forwardTo(upstream.port) });
});

afterAll(() => {
  engine.stop();
  upstream.stop();
});

/** Sends a good request behind all others: once it was seen, whatever was on its way has been seen too. */
async function sentinel(): Promise<void> {
  upstream.script = answering(ok());
  await ask(engine.port(), "GET /sentinel HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
}

/** Request lines of all whole messages that the upstream was sent; beginnings of others must be well-formed so far. */
function seen(): string[] {
  return upstream.connections.flatMap(({ received }) => {
    const { messages, rest, fault } = strictRequests(received);
    expect({ rest, fault }).toEqual({ rest, fault: undefined });
    expect(rest).not.toContain("smuggled");
    return messages.map((message) => message.line);
  });
}

function expectRefused(received: string, { status, code }: Malformed): void {
  const { messages, rest } = strictAnswers(received);
  expect(rest).toBe("");
  expect(messages.map(statusOf)).toEqual([status]);
  expect(JSON.parse(messages[0]!.body)).toMatchObject({ status, code });
  expect(valuesOf(messages[0]!, "connection")).toEqual(["close"]);
}

test("the table is as long as it was meant to be", () => {
  expect(malformed.length).toBeGreaterThanOrEqual(120);
  expect(new Set(malformed.map(({ code, name }) => `${code} ${name}`)).size).toBe(malformed.length);
});

describe.each([...new Set(malformed.map(({ code }) => code))])("%s", (code) => {
  test.each(malformed.filter((row) => row.code === code).map((row) => [row.name, row] as const))(
    "%s",
    async (_, row) => {
      upstream.forget();
      upstream.script = () => {};
      expectRefused(await ask(engine.port(), row.bytes), row);
      await sentinel();
      expect(seen()).toEqual(["GET /sentinel HTTP/1.1"]);
    },
  );
});

test("in packets of one byte each gets the same answer", async () => {
  upstream.script = () => {};
  const short = malformed.filter(({ bytes }) => bytes.length < 1000);
  for (let at = 0; at < short.length; at += 50) {
    await Promise.all(
      short.slice(at, at + 50).map(async (row) => {
        const client = await rawClient(engine.port());
        await client.sendPieces([...row.bytes]);
        await client.over();
        client.close();
        expectRefused(client.received, row);
      }),
    );
  }
  await sentinel();
  expect(upstream.received).not.toContain("smuggled");
});

test("a good request before a bad one on the same connection is answered, and nothing after it", async () => {
  upstream.forget();
  upstream.script = answering(ok("first"));
  const received = await ask(
    engine.port(),
    "GET /good HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\nX : y\r\n\r\nGET /late HTTP/1.1\r\nHost: a\r\n\r\n",
  );
  expect(strictAnswers(received).messages.map(statusOf)).toEqual([200, 400]);
  await sentinel();
  expect(seen()).toEqual(["GET /good HTTP/1.1", "GET /sentinel HTTP/1.1"]);
});

test("a length beyond 32 bits is not cut down to a small one", async () => {
  upstream.forget();
  upstream.script = () => {};
  const client = await rawClient(engine.port());
  client.send(
    `POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 4294967301\r\n\r\nhelloGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`,
  );
  client.finish();
  await client.over();
  await sentinel();
  expect(upstream.connections.flatMap((connection) => strictRequests(connection.received).messages)).toHaveLength(1);
});
