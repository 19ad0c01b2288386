/** No field of an HTTP/2 request can become anything but itself at an HTTP/1 upstream. */
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { forwardTo, TestEngine } from "../kit/engine.ts";
import { block, END_HEADERS, END_STREAM, Http2Peer, requestFields, types } from "../kit/http2-peer.ts";
import { answering, ok, RawUpstream } from "../kit/raw.ts";

let engine: TestEngine;
let upstream: RawUpstream;

beforeAll(async () => {
  upstream = new RawUpstream(answering(ok()));
  engine = await TestEngine.start({ routes: forwardTo(upstream.port) });
});
beforeEach(() => upstream.forget());
afterAll(() => {
  engine.stop();
  upstream.stop();
});

type Fields = readonly (readonly [string, string])[];

async function status(fields: Fields, body?: string): Promise<string> {
  const peer = await Http2Peer.open(engine.port());
  peer.send(types.HEADERS, END_HEADERS | (body === undefined ? END_STREAM : 0), 1, block(fields));
  if (body !== undefined) peer.send(types.DATA, END_STREAM, 1, body);
  await peer.until("an end", () => peer.resetOf(1) !== undefined || peer.goAway !== undefined || peer.ended(1));
  const outcome = peer.resetOf(1) ?? peer.goAway;
  const head = peer.of(types.HEADERS, 1)[0];
  peer.close();
  return outcome !== undefined ? `error ${outcome}` : `answered ${head === undefined ? "nothing" : "a head"}`;
}

const smuggled = "GET /smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n";

const refused: Readonly<Record<string, Fields>> = {
  "CRLF in a value": requestFields("/", [["x-a", `b\r\n\r\n${smuggled}`]]),
  "LF in a value": requestFields("/", [["x-a", "b\nx-b: c"]]),
  "CR in a value": requestFields("/", [["x-a", "b\rx-b: c"]]),
  "NUL in a value": requestFields("/", [["x-a", "b\0c"]]),
  "white space around a value": requestFields("/", [["x-a", " b"]]),
  "CRLF in a name": requestFields("/", [["x-a\r\nx-b", "c"]]),
  "a colon in a name": requestFields("/", [["x-a: b\r\nx-b", "c"]]),
  "a colon at the end of a name": requestFields("/", [["host:", "c"]]),
  "a space in a name": requestFields("/", [["transfer-encoding ", "chunked"]]),
  "an upper-case name": requestFields("/", [["Transfer-Encoding", "chunked"]]),
  "an empty name": requestFields("/", [["", "x"]]),
  "transfer-encoding": requestFields("/", [["transfer-encoding", "chunked"]]),
  connection: requestFields("/", [["connection", "x-forwarded-for"]]),
  "content-length that differs": requestFields("/", [["content-length", "5"]], "POST"),
  "content-length twice": requestFields("/", [
    ["content-length", "0"],
    ["content-length", "0"],
  ]),
  "content-length with a sign": requestFields("/", [["content-length", "+3"]], "POST"),
  "host that differs": requestFields("/", [["host", "other.test"]]),
  "host twice": requestFields("/", [
    ["host", "app.test"],
    ["host", "app.test"],
  ]),
  "CRLF in :path": requestFields("/ HTTP/1.1\r\nx-a: b\r\nx-b:"),
  "a pseudo-field among trailers' names": requestFields("/", [[":path", "/other"]]),
  "CRLF in :method": requestFields("/", [], "GET / HTTP/1.1\r\nx-a: b\r\n\r\nGET"),
};

describe("refused on its stream, and unseen by the upstream:", () => {
  for (const [name, fields] of Object.entries(refused)) {
    test(name, async () => {
      expect(await status(fields, name.includes("content-length") ? "abc" : undefined)).toBe("error 1");
      expect(upstream.received).toBe("");
    });
  }
});

const answered400: Readonly<Record<string, Fields>> = {
  "a space in :path": requestFields("/a b"),
  "a request line in :path": requestFields("/a HTTP/1.1"),
  "a fragment in :path": requestFields("/a#b"),
  "a space in :method": requestFields("/", [], "GET /smuggled HTTP/1.1"),
  "a colon in :method": requestFields("/", [], "GET:"),
  "user information in :authority": [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
    [":authority", "a@b"],
  ],
  "no authority at all": [
    [":method", "GET"],
    [":scheme", "http"],
    [":path", "/"],
  ],
  CONNECT: [
    [":method", "CONNECT"],
    [":authority", "app.test:443"],
  ],
};

describe("answered with a refusal, and unseen by the upstream:", () => {
  for (const [name, fields] of Object.entries(answered400)) {
    test(name, async () => {
      expect(await status(fields)).toBe("answered a head");
      expect(upstream.received).toBe("");
    });
  }
});

test("what is allowed arrives as one request, with framing of our own", async () => {
  const fields = requestFields(
    "/a?b=c",
    [
      ["cookie", "a=1"],
      ["x-y", "z: w\t\u00e9"],
      ["cookie", "b=2"],
    ],
    "POST",
  );
  expect(await status(fields, "hello")).toBe("answered a head");
  const [head, body] = upstream.received.split("\r\n\r\n");
  expect(head).toStartWith("POST /a?b=c HTTP/1.1\r\n");
  expect(head).toContain("\r\nhost: app.test\r\n");
  expect(head).toContain("\r\ncookie: a=1; b=2\r\n");
  expect(head).toContain("\r\nx-y: z: w\t\u00e9\r\n");
  expect(head).toContain("\r\nvia: 2 outrigger\r\n");
  expect(head?.match(/transfer-encoding: chunked/g)).toHaveLength(1);
  expect(`${body}`).toBe("5\r\nhello\r\n0");
});

test.each(["authorization", "content_length", "x_forwarded-for"])("a trailer is refused: %s", async (name) => {
  const peer = await Http2Peer.open(engine.port());
  peer.send(types.HEADERS, END_HEADERS, 1, block(requestFields("/", [], "POST")));
  peer.send(types.DATA, 0, 1, "abc");
  peer.send(types.HEADERS, END_HEADERS | END_STREAM, 1, block([[name, "1"]]));
  await peer.until("an answer", () => peer.ended(1) || peer.resetOf(1) !== undefined);
  expect(upstream.received).not.toContain(name);
  peer.close();
});
