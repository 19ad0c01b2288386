/** A body that nobody wants: it is read to its end and no further, or the connection ends. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { respond, TestEngine } from "../kit/engine.ts";
import { rawClient } from "../kit/raw.ts";
import { statusOf, strictAnswers, valuesOf } from "../kit/strict.ts";

let engine: TestEngine;

beforeAll(async () => {
  engine = await TestEngine.start({
    timeouts: { headMs: 300 },
    routes: [
      { match: { path: { exact: "/smuggled" } }, action: respond(599, "smuggled") },
      { match: { path: { exact: "/next" } }, action: respond(200, "next") },
      { action: respond(200, "fixed") },
    ],
  });
});

afterAll(() => engine.stop());

const inner = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";
const next = "GET /next HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

function post(fields: string, body: string): string {
  return `POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n${body}`;
}

function chunk(text: string): string {
  return `${text.length.toString(16)}\r\n${text}\r\n`;
}

/** Bodies of every answer on one connection, and whether the first said close. */
async function outcome(pieces: readonly string[]): Promise<{ bodies: string[]; said: string[] }> {
  const client = await rawClient(engine.port());
  await client.sendPieces(pieces);
  await client.over();
  client.close();
  const { messages, rest } = strictAnswers(client.received, [], true);
  expect(rest).toBe("");
  expect(messages.map(statusOf)).not.toContain(599);
  return { bodies: messages.map(({ body }) => body), said: valuesOf(messages[0]!, "connection") };
}

const chunked = "Transfer-Encoding: chunked\r\n";
const read: Record<string, string> = {
  "a length": post("Content-Length: 5\r\n", "hello"),
  "a request as a body": post(`Content-Length: ${inner.length}\r\n`, inner),
  "a last chunk as a body": post("Content-Length: 5\r\n", "0\r\n\r\n"),
  "an empty line behind it": `${post("Content-Length: 5\r\n", "hello")}\r\n`,
  "64 KiB": post(`Content-Length: ${64 * 1024}\r\n`, "x".repeat(64 * 1024)),
};

describe("is read, and the next request is served:", () => {
  test.each(Object.entries(read))("%s", async (_, request) => {
    const wanted = { bodies: ["fixed", "next"], said: [] };
    expect(await outcome([request + next])).toEqual(wanted);
    expect(await outcome([request, next])).toEqual(wanted);
    if (request.length < 500) expect(await outcome([...request, next])).toEqual(wanted);
  });
});

describe("is not worth it, or may never come, which the answer says:", () => {
  test.each([
    ["more than 64 KiB", post(`Content-Length: ${64 * 1024 + 1}\r\n`, "x".repeat(64 * 1024 + 1))],
    ["Expect", post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello")],
    ["HTTP/1.0", "POST / HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello"],
    ["chunks", post(chunked, `${chunk("hello")}0\r\n\r\n`)],
    ["a request as a chunk", post(chunked, `${chunk(inner)}0\r\n\r\n`)],
    ["a bad chunk", post(chunked, "x\r\n")],
  ])("%s", async (_, request) => {
    expect(await outcome([request + next])).toEqual({ bodies: ["fixed"], said: ["close"] });
  });
});

describe("does not come: the connection ends without a further word:", () => {
  test("half of it comes, and nothing more", async () => {
    expect((await outcome([post("Content-Length: 500\r\n", "hello")])).bodies).toEqual(["fixed"]);
  });

  test("half of it comes, and the client closes its side", async () => {
    const client = await rawClient(engine.port());
    client.send(post("Content-Length: 500\r\n", "hello"));
    await client.receives("fixed");
    client.finish();
    await client.over();
    expect(strictAnswers(client.received).messages.map(({ body }) => body)).toEqual(["fixed"]);
  });
});
