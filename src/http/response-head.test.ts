import { describe, expect, test } from "bun:test";
import { keptFields } from "./field-lines.ts";
import { Refusal } from "./head.ts";
import { type ResponseHead, readResponseHead } from "./response-head.ts";

const limits = { headBytes: 65_536, headFields: 200 };

function read(text: string): ResponseHead | Refusal | undefined {
  return readResponseHead(Buffer.from(text, "latin1"), limits);
}

function good(line: string, fields = ""): ResponseHead {
  return read(`${line}\r\n${fields}\r\n`) as ResponseHead;
}

function verdict(text: string): string | number | undefined {
  const head = read(text);
  return head instanceof Refusal ? head.code : head?.length;
}

describe("the status line", () => {
  test.each<[string, number, string, number]>([
    ["HTTP/1.1 200 OK", 200, "OK", 1],
    ["HTTP/1.0 404 Not Found", 404, "Not Found", 0],
    ["HTTP/1.1 204 ", 204, "", 1],
    ["HTTP/1.1 204", 204, "", 1],
    ["HTTP/1.1 999 \xe9t\xe9\t!", 999, "\xe9t\xe9\t!", 1],
    ["HTTP/1.1 100 Continue", 100, "Continue", 1],
  ])("%s", (line, status, reason, minor) => {
    expect(good(line)).toMatchObject({ status, reason, minor });
  });

  const bad = [
    ...[
      "HTTP/1.1",
      "HTTP/1.1 ",
      "HTTP/1.1 2",
      "HTTP/1.1 20",
      "HTTP/1.1 099 x",
      "HTTP/1.1 000",
      "HTTP/1.1 2000",
      "HTTP/1.1 20x",
      "HTTP/1.1 +20",
    ],
    ...[
      "HTTP/1.1  200",
      "HTTP/1.1\t200",
      "HTTP/1.1 200OK",
      "HTTP/1.1 200\tOK",
      "HTTP/2.0 200 OK",
      "HTTP/1.2 200 OK",
      "HTTP/0.9 200 OK",
      "http/1.1 200 OK",
    ],
    ...[
      "HTTP/1.1 200 O\0K",
      "HTTP/1.1 200 O\x7fK",
      "HTTP/1.1 200 O\rK",
      "HTTP/1.1 200 O\nK",
      "ICY 200 OK",
      "",
      "200 OK",
      "SSH-2.0-x",
      "<html>",
    ],
  ];

  test.each(bad)("not %p", (line) => {
    expect(verdict(`${line}\r\nContent-Length: 0\r\n\r\n`)).toBe("upstream_bad_response");
  });

  test.each([
    ...bad.filter((line) => line.length > 12),
    "x",
    "HTTP/1.1 200 OK\nX: y\n\n",
    "HTTP/1.1 200\n",
    "\n",
    "\r\n",
    "HTTP/1.1\r",
    "HTTP/1.1 200 \x01",
    "HTTP/1.1 2\r",
  ])("needs no line end to be refused: %p", (line) => {
    expect(verdict(line)).toBe("upstream_bad_response");
  });

  test("may come byte by byte", () => {
    for (const whole of ["HTTP/1.1 200 OK\r\nX: y\r\n\r\n", "HTTP/1.0 200\r\n\r\n", "HTTP/1.1 204 \r\n\r\n"]) {
      for (let end = 1; end < whole.length; end++)
        expect([end, verdict(whole.slice(0, end))]).toEqual([end, undefined]);
      expect(verdict(whole)).toBe(whole.length);
    }
  });
});

describe("keeping the connection", () => {
  test.each<[string, string, boolean, number]>([
    ["1.1", "", true, -1],
    ["1.1", "Connection: close\r\n", false, -1],
    ["1.0", "", false, -1],
    ["1.0", "Connection: keep-alive\r\n", true, -1],
    ["1.1", "Keep-Alive: timeout=5, max=100\r\n", true, 5],
    ["1.1", "Keep-Alive: max=100, TIMEOUT=65\r\n", true, 65],
    ["1.1", "Keep-Alive: max=100,timeout=3\r\n", true, 3],
    ["1.1", "Keep-Alive: xtimeout=3\r\n", true, -1],
    ["1.1", "Keep-Alive: timeout=x\r\n", true, -1],
  ])("HTTP/%s with %p", (version, fields, keepsAlive, keepAliveSeconds) => {
    expect(good(`HTTP/${version} 200 OK`, fields)).toMatchObject({ keepsAlive, keepAliveSeconds });
  });
});

test("both kinds of framing, or chunked in HTTP/1.0, are refused", () => {
  expect(verdict("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n")).toBe(
    "upstream_bad_response",
  );
  expect(verdict("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")).toBe("upstream_bad_response");
});

test("a client's fields mean nothing in an answer", () => {
  const fields = "Host: a\r\nHost: b\r\nExpect: x\r\nX-Forwarded-For: 1\r\nX-Request-Id: 2\r\n";
  expect(keptFields(good("HTTP/1.1 200 OK", fields))).toBe(fields);
});
