import { describe, expect, test } from "bun:test";
import { keptFields } from "./field-lines.ts";
import type { Refusal } from "./head.ts";
import { type RequestHead, readRequestHead } from "./request-head.ts";

const limits = { headBytes: 65_536, headFields: 200 };

function read(text: string): RequestHead {
  return readRequestHead(Buffer.from(text, "latin1"), limits) as RequestHead;
}

function codeOf(text: string): string {
  return (readRequestHead(Buffer.from(text, "latin1"), limits) as Refusal).code;
}

describe("the request line", () => {
  test.each<[string, string, string, number]>([
    ["GET / HTTP/1.1", "GET", "/", 1],
    ["get /a?b=c HTTP/1.0", "get", "/a?b=c", 0],
    ["OPTIONS * HTTP/1.1", "OPTIONS", "*", 1],
    ["PATCH //a//b?? HTTP/1.1", "PATCH", "//a//b??", 1],
  ])("%s", (line, method, target, minor) => {
    expect(read(`${line}\r\nHost: a\r\n\r\n`)).toMatchObject({
      method,
      target,
      minor,
      authority: "a",
      absolute: false,
    });
  });

  test.each<[string, string, string]>([
    ["http://b", "/", "b"],
    ["http://b/", "/", "b"],
    ["HTTP://B:81/c?d", "/c?d", "B:81"],
    ["http://b?c", "/?c", "b"],
    ["http://[::1]:8080/c", "/c", "[::1]:8080"],
  ])("with the whole URL %s takes it apart, and its authority wins", (url, target, authority) => {
    expect(read(`GET ${url} HTTP/1.1\r\nHost: a\r\n\r\n`)).toMatchObject({ target, authority, absolute: true });
  });

  test("OPTIONS of a URL without a path is about the server itself", () => {
    expect(read("OPTIONS http://b HTTP/1.1\r\nHost: a\r\n\r\n").target).toBe("*");
    expect(read("OPTIONS http://b/ HTTP/1.1\r\nHost: a\r\n\r\n").target).toBe("/");
    expect(read("OPTIONS http://b?c HTTP/1.1\r\nHost: a\r\n\r\n").target).toBe("/?c");
  });

  test("CONNECT is refused in every form", () => {
    for (const target of ["a:80", "/", "*", "http://a/"])
      expect(codeOf(`CONNECT ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)).toBe("connect_refused");
  });
});

describe("keeping the connection", () => {
  test.each<[string, string, boolean]>([
    ["1.1", "", true],
    ["1.1", "close", false],
    ["1.1", "keep-alive, close", false],
    ["1.0", "", false],
    ["1.0", "keep-alive", true],
    ["1.0", "Keep-Alive, Close", false],
  ])("HTTP/%s, Connection %p", (version, value, keeps) => {
    const connection = value === "" ? "" : `Connection: ${value}\r\n`;
    expect(read(`GET / HTTP/${version}\r\nHost: a\r\n${connection}\r\n`).keepsAlive).toBe(keeps);
  });
});

describe("Host", () => {
  test("is needed in HTTP/1.1 only", () => {
    expect(codeOf("GET / HTTP/1.1\r\n\r\n")).toBe("bad_host");
    expect(read("GET / HTTP/1.0\r\n\r\n").authority).toBe("");
  });

  test("can be left out, wherever it stands", () => {
    for (const fields of [
      "Host: a\r\nX: 1\r\n",
      "X: 1\r\nHost: a\r\n",
      "TE: x\r\nHost: a\r\nConnection: y\r\nX: 1\r\nY: 2\r\n",
    ]) {
      const head = read(`GET / HTTP/1.1\r\n${fields}\r\n`);
      head.cutHost();
      head.cutHost();
      expect(keptFields(head)).toBe("X: 1\r\n");
    }
  });
});

describe("what a client claims to be", () => {
  const claims =
    "X-Forwarded-For: 1.1.1.1\r\nA: 1\r\nForwarded: for=x\r\nx-forwarded-for: 2.2.2.2\r\nX-REQUEST-ID: 7\r\nX-Forwarded-X: x\r\n";

  test("is read", () => {
    const head = read(`GET / HTTP/1.1\r\nHost: a\r\n${claims}\r\n`);
    expect(head).toMatchObject({ forwardedFor: "1.1.1.1, 2.2.2.2", requestId: "7" });
    expect(keptFields(head)).toBe(`Host: a\r\n${claims}`);
  });

  test("can be taken out, with what is taken out already", () => {
    for (const more of ["", "Connection: a, x-forwarded-for\r\n", "TE: x\r\n"]) {
      const head = read(`GET / HTTP/1.1\r\nHost: a\r\n${claims}${more}\r\n`);
      head.disbelieve();
      head.disbelieve();
      expect(keptFields(head)).toBe(more.startsWith("Connection") ? "Host: a\r\n" : "Host: a\r\nA: 1\r\n");
    }
  });

  test("is nothing of this kind when the name is only alike", () => {
    const alike = "X-Forwarde: 1\r\nX-Forwarded: 1\r\nX-Request-Ids: 1\r\nForwardeds: 1\r\nX_Forwarde: 1\r\n";
    const head = read(`GET / HTTP/1.1\r\nHost: a\r\n${alike}\r\n`);
    head.disbelieve();
    expect(keptFields(head)).toBe(`Host: a\r\n${alike}`);
  });

  test("is also what a server behind CGI would read as it", () => {
    const twins = "X_Forwarded_For: 1\r\nx-forwarded_proto: 1\r\nX_REQUEST-ID: 1\r\n";
    const head = read(`GET / HTTP/1.1\r\nHost: a\r\n${twins}\r\n`);
    expect({ id: head.requestId, chain: head.forwardedFor }).toEqual({ id: undefined, chain: undefined });
    head.disbelieve();
    expect(keptFields(head)).toBe("Host: a\r\n");
  });
});

describe("expectations", () => {
  test("of 100-continue are known, in any case, also twice", () => {
    for (const fields of [
      "Expect: 100-continue\r\n",
      "EXPECT: 100-Continue\r\nExpect: 100-continue\r\n",
      "Expect:\r\n",
    ])
      expect(read(`POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`).method).toBe("POST");
  });

  test("of anything else are refused, in any order", () => {
    for (const fields of [
      "Expect: x\r\n",
      "Expect: x\r\nExpect: 100-continue\r\n",
      "Expect: 100-continue\r\nExpect: x\r\n",
    ])
      expect(codeOf(`POST / HTTP/1.1\r\nHost: a\r\n${fields}\r\n`)).toBe("expectation_failed");
  });
});
