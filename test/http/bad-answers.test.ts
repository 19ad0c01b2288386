/** Answers of an upstream that can be read in two ways: never sent on, and their connection never used again. */
import { afterEach, describe, expect, test } from "bun:test";
import { forwardTo, TestEngine } from "../kit/engine.ts";
import { answering, ask, ok, RawUpstream, rawClient } from "../kit/raw.ts";
import { statusOf, strictAnswers } from "../kit/strict.ts";
import { until } from "../kit/until.ts";

let upstream: RawUpstream;
let engine: TestEngine;

async function setUp(answer: string): Promise<void> {
  upstream = new RawUpstream(answering(answer));
  engine = await TestEngine.start({ routes: forwardTo(upstream.port) });
}

afterEach(() => {
  engine.stop();
  upstream.stop();
});

function get(path: string, rest = ""): string {
  return `GET ${path} HTTP/1.1\r\nHost: a\r\n${rest}\r\n`;
}

function fields(text: string, body = "hello"): string {
  return `HTTP/1.1 200 OK\r\n${text}\r\n${body}`;
}

/** What the client gets for one request, and for a second one that the upstream answers well. */
async function twoRequests(method = "GET"): Promise<[first: string, second: string]> {
  const client = await rawClient(engine.port());
  client.send(get("/first").replace("GET", method));
  const final = () => strictAnswers(client.received, [method]).messages.some((message) => statusOf(message) >= 200);
  await until(() => client.closed || client.ended || final(), { what: `an answer to ${method}` });
  client.close();
  upstream.script = answering(ok("second"));
  return [client.received, await ask(engine.port(), get("/second", "Connection: close\r\n"))];
}

function expectNotReused(second: string): void {
  expect(strictAnswers(second).messages.map(({ body }) => body)).toEqual(["second"]);
  const paths = upstream.connections.map(({ received }) => received.split(" ")[1]);
  expect(paths).toEqual(["/first", "/second"]);
}

const malformed: Record<string, string> = {
  "a length, then chunked": fields("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  "chunked, then a length": fields("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", "0\r\n\r\n"),
  "two lengths": fields("Content-Length: 5\r\nContent-Length: 6\r\n"),
  "two equal lengths": fields("Content-Length: 5\r\nContent-Length: 5\r\n"),
  "a list of lengths": fields("Content-Length: 5, 5\r\n"),
  "a signed length": fields("Content-Length: +5\r\n"),
  "a negative length": fields("Content-Length: -1\r\n"),
  "an empty length": fields("Content-Length:\r\n"),
  "a length in hexadecimal": fields("Content-Length: 0x5\r\n"),
  "a huge length": fields("Content-Length: 18446744073709551621\r\n"),
  gzip: fields("Transfer-Encoding: gzip\r\n"),
  "gzip, chunked": fields("Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n"),
  "chunked, gzip": fields("Transfer-Encoding: chunked, gzip\r\n", "0\r\n\r\n"),
  identity: fields("Transfer-Encoding: identity\r\n"),
  "an empty coding": fields("Transfer-Encoding:\r\n"),
  "chunked twice": fields("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
  "chunked twice in one line": fields("Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n"),
  "chunked in HTTP/1.0": "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
  "space before the colon": fields("Content-Length : 5\r\n"),
  "a fold": fields("X: a\r\n b\r\nContent-Length: 5\r\n"),
  "a fold after the status line": "HTTP/1.1 200 OK\r\n X: y\r\n\r\n",
  "NUL in a value": fields("X: a\0b\r\nContent-Length: 5\r\n"),
  "VT before a coding": fields("Transfer-Encoding: \x0bchunked\r\n", "0\r\n\r\n"),
  "CR in a value": fields("X: a\rb\r\nContent-Length: 5\r\n"),
  "LF ends a field": fields("X: a\nContent-Length: 5\r\n"),
  "LF ends the head": "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\nhello",
  "LF ends the status line": "HTTP/1.1 200 OK\nContent-Length: 5\r\n\r\nhello",
  "LF ends all lines": "HTTP/1.1 200 OK\nContent-Length: 5\n\nhello",
  "LF ends a short status line": "HTTP/1.1 200\n\n",
  "CR in the reason": "HTTP/1.1 200 O\rK\r\nContent-Length: 5\r\n\r\nhello",
  "NUL in the reason": "HTTP/1.1 200 O\0K\r\nContent-Length: 5\r\n\r\nhello",
  "a control character in a reason that never ends": "HTTP/1.1 200 O\x01K",
  "no name": fields(": y\r\n"),
  "no colon": fields("nonsense\r\n"),
  "a name with a space": fields("X Y: z\r\n"),
  "HTTP/2.0": "HTTP/2.0 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "HTTP/1.2": "HTTP/1.2 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "lower case": "http/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "a status of two digits": "HTTP/1.1 99 OK\r\nContent-Length: 5\r\n\r\nhello",
  "a status of four digits": "HTTP/1.1 2000 OK\r\nContent-Length: 5\r\n\r\nhello",
  "a status below 100": "HTTP/1.1 099 OK\r\nContent-Length: 5\r\n\r\nhello",
  "a status of letters": "HTTP/1.1 abc OK\r\nContent-Length: 5\r\n\r\nhello",
  "a signed status": "HTTP/1.1 +20 OK\r\nContent-Length: 5\r\n\r\nhello",
  "two spaces before the status": "HTTP/1.1  200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "a tab before the status": "HTTP/1.1\t200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "no space after the status": "HTTP/1.1 200OK\r\nContent-Length: 5\r\n\r\nhello",
  "another protocol": "ICY 200 OK\r\n\r\n",
  "an SSH server": "SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n",
  "only a body": "<html><body>hello</body></html>",
  "a short word that never ends": "hello",
  "an empty line first": "\r\nHTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
  "a switch of protocols nobody asked for":
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n",
  "a bad answer after an informational one": "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\nX: y\n\n",
};

describe("answered with 502 upstream_bad_response", () => {
  test.each(Object.entries(malformed))("%s", async (_, answer) => {
    await setUp(answer);
    const [first, second] = await twoRequests();
    const { messages, rest } = strictAnswers(first);
    expect(rest).toBe("");
    const last = messages.at(-1)!;
    expect(statusOf(last)).toBe(502);
    expect(JSON.parse(last.body)).toMatchObject({ code: "upstream_bad_response" });
    expectNotReused(second);
  });

  test.each([
    ["too many fields", fields(`${"X: y\r\n".repeat(200)}Content-Length: 5\r\n`)],
    ["64 KiB of fields", fields(`X: ${"y".repeat(65_536)}\r\nContent-Length: 5\r\n`)],
    ["64 KiB of reason", `HTTP/1.1 200 ${"y".repeat(65_536)}\r\n\r\n`],
  ])("or upstream_head_too_large: %s", async (_, answer) => {
    await setUp(answer);
    const [first, second] = await twoRequests();
    expect(JSON.parse(strictAnswers(first).messages[0]!.body)).toMatchObject({ code: "upstream_head_too_large" });
    expectNotReused(second);
  });
});

const brokenBodies: Record<string, string> = {
  "a chunk size that is none": "x\r\n",
  "a chunk without an end": "5\r\nhelloX",
  "a bare LF after a size": "5\nhello\r\n0\r\n\r\n",
  "a signed size": "+5\r\nhello\r\n0\r\n\r\n",
  "a size with a space": "5 \r\nhello\r\n0\r\n\r\n",
  "a huge size": "FFFFFFFFFFFFFFFF\r\nhello",
  "a forbidden trailer": "5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
  "a malformed trailer": "5\r\nhello\r\n0\r\nX : y\r\n\r\n",
};

describe("breaks the client's connection off: chunked with", () => {
  test.each(Object.entries(brokenBodies))("%s", async (_, body) => {
    await setUp(fields("Transfer-Encoding: chunked\r\n", body));
    const [first, second] = await twoRequests();
    expect(strictAnswers(first).messages.filter((message) => statusOf(message) === 200)).toEqual([]);
    expect(engine.thread.codes).toEqual(["upstream_bad_response"]);
    expectNotReused(second);
  });
});

const poison = ok("poison");

describe("what follows a whole answer is nobody's answer:", () => {
  const followed: Record<string, [method: string, answer: string, body: string]> = {
    "a length": ["GET", ok("good"), "good"],
    "a length of 0": ["GET", ok(""), ""],
    chunked: ["GET", fields("Transfer-Encoding: chunked\r\n", "4\r\ngood\r\n0\r\n\r\n"), "good"],
    HEAD: ["HEAD", ok("").replace("0", "6"), ""],
    "HEAD with chunked": ["HEAD", fields("Transfer-Encoding: chunked\r\n", ""), ""],
    204: ["GET", "HTTP/1.1 204 No Content\r\n\r\n", ""],
    "204 with a length": ["GET", "HTTP/1.1 204 No Content\r\nContent-Length: 6\r\n\r\n", ""],
    "204 with chunked": ["GET", "HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", ""],
    304: ["GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 6\r\n\r\n", ""],
    "304 with chunked": ["GET", "HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\n\r\n", ""],
  };
  test.each(Object.entries(followed))("%s", async (_, [method, answer, body]) => {
    await setUp(answer + poison);
    const [first, second] = await twoRequests(method);
    const { messages, rest } = strictAnswers(first, [method]);
    expect({ bodies: messages.map((message) => message.body), rest }).toEqual({ bodies: [body], rest: "" });
    expectNotReused(second);
  });

  test.each([
    ["a length", "Content-Length: 6\r\n", ["/first", "/second"]],
    ["chunked", "Transfer-Encoding: chunked\r\n", ["/first", "/second"]],
    ["a length of 0", "Content-Length: 0\r\n", ["/first"]],
  ])("a 204 that declares %s is the last answer on its connection, unless it is 0", async (_, framing, paths) => {
    await setUp(`HTTP/1.1 204 No Content\r\n${framing}\r\n`);
    const [, second] = await twoRequests();
    expect(strictAnswers(second).messages.map(({ body }) => body)).toEqual(["second"]);
    expect(upstream.connections.map(({ received }) => received.split(" ")[1])).toEqual(paths);
  });

  test("bytes that come while the connection is idle", async () => {
    await setUp(ok("good"));
    const client = await rawClient(engine.port());
    client.send(get("/first"));
    await client.receives("good");
    upstream.connections[0]!.send(poison);
    await until(() => upstream.connections[0]!.closed, { what: "the upstream's connection to be closed" });
    client.send(get("/second"));
    await client.receives((received) => strictAnswers(received).messages.length === 2, "a second answer");
    expect(client.received).not.toContain("poison");
  });
});

test("an informational answer with a length does not shift what follows it", async () => {
  await setUp(`HTTP/1.1 103 Early Hints\r\nContent-Length: ${poison.length}\r\nLink: </a>\r\n\r\n${ok("good")}`);
  const received = await ask(engine.port(), get("/", "Connection: close\r\n"));
  const { messages, rest, fault } = strictAnswers(received);
  expect({ rest, fault }).toEqual({ rest: "", fault: undefined });
  expect(messages.map(({ line, body }) => [line, body])).toEqual([
    ["HTTP/1.1 103 Early Hints", ""],
    ["HTTP/1.1 200 OK", "good"],
  ]);
});

test("an HTTP/1.0 client is never sent an informational answer", async () => {
  await setUp(`HTTP/1.1 103 Early Hints\r\n\r\n${ok("good")}`);
  const received = await ask(engine.port(), "GET / HTTP/1.0\r\n\r\n");
  expect(strictAnswers(received).messages.map(statusOf)).toEqual([200]);
});
