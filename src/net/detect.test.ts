import { expect, test } from "bun:test";
import fc from "fast-check";
import { helloMessage, inRecords } from "../../test/kit/tls-hello.ts";
import { type Detected, detect } from "./detect.ts";

function verdict(text: string): Detected | undefined {
  return detect(Buffer.from(text, "latin1"));
}

const preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

test.each([
  ["GET / HTTP/1.1\r\n", "http1"],
  ["GET / HTTP/1.0\n", "http1"],
  ["OPTIONS * HTTP/1.1\r\n", "http1"],
  ["PRI * HTTP/1.1\r\n", "http1"],
  ["PRIMARY / HTTP/1.1\r\n", "http1"],
  ["M-SEARCH * HTTP/1.1\r\n", "http1"],
  ["UPDATEREDIRECTREF /x HTTP/1.1\r\n", "http1"],
  ["CONNECT example.com:443 HTTP/1.1\r\n", "http1"],
  ["GET http://example.com/ HTTP/1.1\r\n", "http1"],
  ["GET /\xc3\xbc HTTP/1.1\r\n", "http1"],
  ["GET / HTTP/3.0\r\n", "http1"], // refused by the engine, in words
  [`GET /${"a".repeat(5000)} HTTP/1.1\r\n`, "http1"],
  [preface, "http2"],
  ["SSH-2.0-OpenSSH_9.2\r\n", "tcp"],
  ["EHLO example.com\r\n", "tcp"],
  ["HELO a.very.long.name.example.com and more\r\n", "tcp"],
  ["SET key HTTP\r\n", "tcp"],
  ["*1\r\n$4\r\nPING\r\n", "tcp"],
  ["PING\r\n", "tcp"],
  ["get / HTTP/1.1\r\n", "tcp"],
  ["GET  / HTTP/1.1\r\n", "tcp"],
  ["GET\t/ HTTP/1.1\r\n", "tcp"],
  ["GET /\r\n", "tcp"],
  ["PRI * HTTP/2,0\r\n", "http1"],
  ["\x16\x02\x00", "tcp"],
  ["\x00\x00\x00\x08\x04\xd2\x16\x2f", "tcp"],
  ["A".repeat(30), "tcp"],
])("%j is %s", (text, expected) => {
  expect(verdict(text)).toBe(expected as Detected);
});

test("a ClientHello is TLS from its second byte on", () => {
  const hello = inRecords(helloMessage({ serverName: "a.example" }));
  expect(detect(hello.subarray(0, 1))).toBeUndefined();
  expect(detect(hello.subarray(0, 2))).toBe("tls");
  expect(detect(hello)).toBe("tls");
});

test("it waits for no more than it needs", () => {
  const need: [string, number][] = [
    ["GET / HTTP/1.1\r\n", "GET / HTTP/1".length],
    [preface, "PRI * HTTP/2.0".length],
    ["PRI * HTTP/1.1", "PRI * HTTP/1".length],
    ["EHLO example.com\r\n", "EHLO example.com\r".length],
    ["SET key value", "SET key v".length],
    [`GET /${"a".repeat(2000)}`, 1024],
    ["\0", 1],
  ];
  for (const [text, length] of need) {
    expect(verdict(text.slice(0, length - 1))).toBeUndefined();
    expect(verdict(text.slice(0, length))).toBeDefined();
  }
});

test("the verdict does not depend on how the bytes were cut", () => {
  const beginning = fc.constantFrom(
    preface,
    "GET /a HTTP/1.1\r\n",
    "\x16\x03\x01\x02\x00\x01",
    "EHLO x.example\r\n",
    "PRI / HTTP/1.0\r\n",
  );
  const edits = fc.array(fc.tuple(fc.nat(30), fc.nat(255)), { maxLength: 2 });
  fc.assert(
    fc.property(beginning, edits, fc.string({ maxLength: 40 }), (start, changes, tail) => {
      const bytes = Buffer.from(start + tail, "latin1");
      for (const [at, value] of changes) bytes[at % bytes.length] = value;
      const whole = detect(bytes);
      for (let cut = 0; cut <= bytes.length; cut++) {
        const early = detect(bytes.subarray(0, cut));
        if (early !== undefined) expect(early).toBe(whole!);
      }
    }),
    { numRuns: 3000 },
  );
});
