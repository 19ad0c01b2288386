/** What is legal goes on byte for byte, however odd it looks; only what concerns the hop itself is changed. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { forwardTo, TestEngine } from "../kit/engine.ts";
import { answering, ask, ok, RawUpstream, rawClient } from "../kit/raw.ts";
import { statusOf, strictAnswers, strictRequests } from "../kit/strict.ts";

let upstream: RawUpstream;
let engine: TestEngine;

beforeAll(async () => {
  upstream = new RawUpstream((connection) => {
    const { messages, fault } = strictRequests(connection.received);
    expect(fault).toBeUndefined();
    for (let i = answered.get(connection) ?? 0; i < messages.length; i++) connection.send(ok());
    answered.set(connection, messages.length);
  });
  engine = await TestEngine.start([
    { routes: forwardTo(upstream.port) },
    { name: "out", direction: "outbound", routes: forwardTo(upstream.port) },
  ]);
});
const answered = new WeakMap<object, number>();

afterAll(() => {
  engine.stop();
  upstream.stop();
});

const ours =
  /x-forwarded-for: 127\.0\.0\.1\r\nx-forwarded-proto: http\r\nvia: 1\.1 outrigger\r\nx-request-id: [0-9a-f-]+\r\n(?=\r\n)/g;

/** Sends the bytes and returns what the upstream was sent, without the lines that inbound adds. */
async function forwarded(bytes: string, listener = "web"): Promise<string> {
  upstream.forget();
  const client = await rawClient(engine.port(listener));
  client.send(bytes);
  client.finish();
  await client.over();
  client.close();
  expect(strictAnswers(client.received).messages.map(statusOf)).toEqual([200]);
  return upstream.received.replace(ours, "");
}

const host = "Host: a\r\n";

function get(fields: string): string {
  return `GET / HTTP/1.1\r\n${host}${fields}\r\n`;
}

const unchanged: Record<string, string> = {
  "nothing but Host": get(""),
  "Host last": `GET / HTTP/1.1\r\nX: y\r\n${host}\r\n`,
  "odd case": "GET / HTTP/1.1\r\nhOsT: A\r\nx-MiXeD: YeS\r\n\r\n",
  "an order that is not the alphabet's": get("Z: 1\r\nA: 2\r\nM: 3\r\n"),
  duplicates: get("X: 1\r\nY: 2\r\nx: 3\r\nX: 1\r\n"),
  "empty values": get("X:\r\nY: \r\nZ:   \r\n"),
  "no space after the colon": get("X:y\r\n"),
  "spaces and tabs around a value": get("X: \t y \t \r\n"),
  "a tab inside a value": get("X: a\tb\r\n"),
  "all bytes that a value may have": get(
    `X: ${Array.from({ length: 0x5f }, (_, i) => String.fromCharCode(0x20 + i)).join("")}y\r\n`,
  ),
  "bytes from 0x80 on in a value": get(
    `X: ${Array.from({ length: 0x80 }, (_, i) => String.fromCharCode(0x80 + i)).join("")}\r\n`,
  ),
  "UTF-8 in a value": get(`X: ${Buffer.from("größe à 漢字 à").toString("latin1")}\r\n`),
  "colons in a value": get("X: :a:b:\r\n"),
  "a value that looks like a field": get("X: Content-Length: 5\r\n"),
  "a name of all token characters": get("!#$%&'*+-.^_`|~09azAZ: x\r\n"),
  "a name of one character": get("x: y\r\n"),
  "an underscore in a name": get("X_Y: 5\r\nContent_Type: a/b\r\n"),
  "names that nearly matter": get(
    "Content-Lengt: 5\r\nContent-Lengths: 5\r\nXTransfer-Encoding: chunked\r\nHosts: b\r\n",
  ),
  "a long value": get(`X: ${"y".repeat(60_000)}\r\n`),
  "200 fields": get("X: y\r\n".repeat(199)),
  "a head of exactly 64 KiB": get(`X: ${"y".repeat(65_536 - get("X: \r\n").length)}\r\n`),
  "cookies in several lines": get("Cookie: a=b\r\nCookie: c=d\r\n"),
  "a lower-case method": `get / HTTP/1.1\r\n${host}\r\n`,
  "an unknown method": `M-SEARCH / HTTP/1.1\r\n${host}\r\n`,
  "a method of odd characters": `!#$%&'*+-.^_\`|~ / HTTP/1.1\r\n${host}\r\n`,
  "a target of odd characters": `GET /{}|\\^"<>\`'();:@&=+$,[]!*~%zz%00 HTTP/1.1\r\n${host}\r\n`,
  "a target with two slashes": `GET //b//c HTTP/1.1\r\n${host}\r\n`,
  "a target with dots": `GET /a/../b/./%2e%2e/c HTTP/1.1\r\n${host}\r\n`,
  "a target with a URL inside": `GET /http://b/ HTTP/1.1\r\n${host}\r\n`,
  "questions in the query": `GET /?a=b?c=d?? HTTP/1.1\r\n${host}\r\n`,
  "a long target": `GET /${"a".repeat(30_000)} HTTP/1.1\r\n${host}\r\n`,
  "OPTIONS with a star": `OPTIONS * HTTP/1.1\r\n${host}\r\n`,
  "a Host with a port": "GET / HTTP/1.1\r\nHost: a.example:8080\r\n\r\n",
  "a Host that is an IPv6 address": "GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
  "a Host with odd characters": "GET / HTTP/1.1\r\nHost: a_b-c.~d!$&'()*+,;=%41\r\n\r\n",
  "a body with GET": `GET / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`,
  "a body of length 0": `POST / HTTP/1.1\r\n${host}Content-Length: 0\r\n\r\n`,
  "a length with leading zeros": `POST / HTTP/1.1\r\n${host}Content-Length: 00005\r\n\r\nhello`,
  "a length with spaces around": `POST / HTTP/1.1\r\n${host}Content-Length: \t 5 \t\r\n\r\nhello`,
  "a body that looks like requests": `POST / HTTP/1.1\r\n${host}Content-Length: 27\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n`,
  "a body of all bytes": `POST / HTTP/1.1\r\n${host}Content-Length: 256\r\n\r\n${Array.from({ length: 256 }, (_, i) => String.fromCharCode(i)).join("")}`,
  "chunked in odd case": `POST / HTTP/1.1\r\n${host}tRANSFER-eNCODING: cHUNKED\r\n\r\n5\r\nhello\r\n0\r\n\r\n`,
  "chunk sizes in both cases": `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\nB\r\n0123456789x\r\n0\r\n\r\n`,
  "chunk sizes with leading zeros": `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n000005\r\nhello\r\n000\r\n\r\n`,
  "chunks that look like framing": `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\n0\r\n\r\n\r\n0\r\n\r\n`,
  trailers: `POST / HTTP/1.1\r\n${host}Trailer: X-Sum\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: \xe9 y\r\nY:\r\n\r\n`,
  "an expectation of 100-continue": `POST / HTTP/1.1\r\n${host}Expect: 100-CONTINUE\r\nContent-Length: 5\r\n\r\nhello`,
};

describe("goes on unchanged, inbound:", () => {
  test.each(Object.entries(unchanged))("%s", async (_, bytes) => {
    expect(await forwarded(bytes)).toBe(bytes);
  });
});

describe("goes on unchanged but for Host, outbound:", () => {
  test.each(Object.entries(unchanged))("%s", async (_, bytes) => {
    const target = `Host: 127.0.0.1:${upstream.port}\r\n`;
    expect(await forwarded(bytes, "out")).toBe(
      bytes.replace(/\r\nHost: .*?\r\n/i, "\r\n").replace("\r\n", `\r\n${target}`),
    );
  });
});

const changed: Record<string, [sent: string, wanted: string]> = {
  "fields of this hop": [
    get(
      "A: 1\r\nConnection: x\r\nKeep-Alive: 5\r\nB: 2\r\nProxy-Connection: x\r\nTE: trailers\r\nUpgrade: h2c\r\nC: 3\r\n",
    ),
    get("A: 1\r\nB: 2\r\nC: 3\r\n"),
  ],
  "fields that Connection names": [
    get("X: 1\r\nConnection: x, Keep-Alive ,Y\r\nY: 2\r\nZ: 3\r\nCONNECTION: z\r\nW: 4\r\nx: 5\r\n"),
    get("W: 4\r\n"),
  ],
  "empty elements in Connection": [get("Connection: ,, ,\r\nX: y\r\n"), get("X: y\r\n")],
  "a Host that Connection names": [get("Connection: host\r\nX: y\r\n"), get("X: y\r\n")],
  "a length that Connection names": [
    `POST / HTTP/1.1\r\n${host}Connection: content-length\r\nContent-Length: 5\r\n\r\nhello`,
    `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`,
  ],
  "a coding that Connection names": [
    `POST / HTTP/1.1\r\n${host}Connection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  ],
  "what a client claims to be": [
    get(
      "X-Forwarded-For: 1.1.1.1\r\nA: 1\r\nx-forwarded-host: b\r\nFORWARDED: for=x\r\nX-Request-ID: 5\r\nX-Forwarded-Anything: x\r\n",
    ),
    get("A: 1\r\n"),
  ],
  "what Connection would have us take for ours": [
    get("Connection: x-forwarded-for, via, x-request-id\r\nX-Forwarded-For: 1.1.1.1\r\nVia: x\r\n"),
    get(""),
  ],
  "chunk extensions": [
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5;a=b;c="d;e"\r\nhello\r\n5;\r\nworld\r\n0;x\r\n\r\n`,
    `POST / HTTP/1.1\r\n${host}Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n`,
  ],
  "an absolute target": [
    "GET http://b.example:81/c?d HTTP/1.1\r\nX: y\r\nHost: a\r\n\r\n",
    "GET /c?d HTTP/1.1\r\nHost: b.example:81\r\nX: y\r\n\r\n",
  ],
  "an absolute target in odd case": ["GET HTTP://B/ HTTP/1.1\r\nHost: a\r\n\r\n", "GET / HTTP/1.1\r\nHost: B\r\n\r\n"],
  "an absolute target without a path": [
    "GET http://b HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: b\r\n\r\n",
  ],
  "an absolute target with only a query": [
    "GET http://b?c HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET /?c HTTP/1.1\r\nHost: b\r\n\r\n",
  ],
  "OPTIONS of a whole server": [
    "OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n",
  ],
  "HTTP/1.0": [`GET / HTTP/1.0\r\n${host}X: y\r\n\r\n`, get("X: y\r\n")],
  "HTTP/1.0 with a body": [
    `POST / HTTP/1.0\r\n${host}Content-Length: 5\r\n\r\nhello`,
    `POST / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`,
  ],
};

describe("goes on with what concerns the hop taken out:", () => {
  test.each(Object.entries(changed))("%s", async (_, [sent, wanted]) => {
    expect(await forwarded(sent)).toBe(wanted);
  });
});

test("HTTP/1.0 without a Host gets one", async () => {
  expect(await forwarded("GET / HTTP/1.0\r\n\r\n")).toBe(`GET / HTTP/1.1\r\nHost: 127.0.0.1:${upstream.port}\r\n\r\n`);
});

test("legal requests in one packet are taken apart, each with what belongs to it", async () => {
  upstream.forget();
  const client = await rawClient(engine.port());
  const requests = Object.values(unchanged);
  client.send(requests.join(""));
  client.finish();
  await client.over();
  expect(strictAnswers(client.received).messages).toHaveLength(requests.length);
  expect(upstream.received.replace(ours, "")).toBe(requests.join(""));
});

const answers: Record<string, string> = {
  "odd case and order": "HTTP/1.1 200 OK\r\nZ: 1\r\ncOnTeNt-LeNgTh: 2\r\nA: 2\r\nZ: 3\r\n\r\nok",
  "no reason": "HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok",
  "an odd reason": "HTTP/1.1 200 \xe9t\xe9 is: over\t!\r\nContent-Length: 2\r\n\r\nok",
  "an unknown status": "HTTP/1.1 299 Odd\r\nContent-Length: 2\r\n\r\nok",
  "a status beyond the usual": "HTTP/1.1 999 No\r\nContent-Length: 2\r\n\r\nok",
  "several cookies": "HTTP/1.1 200 OK\r\nSet-Cookie: a=b\r\nSet-Cookie: c=d\r\nContent-Length: 2\r\n\r\nok",
  "bytes from 0x80 on": "HTTP/1.1 200 OK\r\nX: \x80\xa0\xff\r\nContent-Length: 2\r\n\r\n\xff\0",
  "empty values": "HTTP/1.1 200 OK\r\nX:\r\nY: \r\nContent-Length: 2\r\n\r\nok",
  chunked: "HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\nA\r\n0123456789\r\n00\r\nX-Sum: y\r\n\r\n",
  "404 with a body": "HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\n\r\nno",
  "205 with length 0": "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n",
  "304 with a length": "HTTP/1.1 304 Not Modified\r\nContent-Length: 500\r\n\r\n",
  204: "HTTP/1.1 204 No Content\r\nX: y\r\n\r\n",
};

describe("comes back unchanged:", () => {
  test.each(Object.entries(answers))("%s", async (_, answer) => {
    const origin = new RawUpstream(answering(answer));
    const own = await TestEngine.start({ routes: forwardTo(origin.port) });
    const client = await rawClient(own.port());
    client.send(get(""));
    await client.receives((received) => received.length >= answer.length, answer);
    client.send(get("Connection: close\r\n"));
    await client.over();
    expect(client.received).toBe(answer + answer.replace("\r\n\r\n", "\r\nconnection: close\r\n\r\n"));
    expect(origin.connections).toHaveLength(1);
    own.stop();
    origin.stop();
  });

  test("but for the coding of a 304, which has no body to be coded", async () => {
    const origin = new RawUpstream(
      answering("HTTP/1.1 304 Not Modified\r\nTransfer-Encoding: chunked\r\nX: y\r\n\r\n"),
    );
    const own = await TestEngine.start({ routes: forwardTo(origin.port) });
    const received = await ask(own.port(), get("Connection: close\r\n"));
    expect(received).toBe("HTTP/1.1 304 Not Modified\r\nX: y\r\nconnection: close\r\n\r\n");
    own.stop();
    origin.stop();
  });

  test("what HEAD would have", async () => {
    const origin = new RawUpstream(answering("HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"));
    const own = await TestEngine.start({ routes: forwardTo(origin.port) });
    const head = `HEAD / HTTP/1.1\r\n${host}`;
    expect(await ask(own.port(), `${head}\r\n${head}Connection: close\r\n\r\n`)).toBe(
      "HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 500\r\nconnection: close\r\n\r\n",
    );
    own.stop();
    origin.stop();
  });
});
