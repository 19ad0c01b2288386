import { describe, expect, test } from "bun:test";
import type { Match } from "../config/schema.ts";
import type { Exchange } from "../contracts.ts";
import { HeadFields } from "./fields.ts";
import { compileMatch } from "./match.ts";
import { type RequestHead, readRequestHead } from "./request-head.ts";

/** As much of an exchange as routes look at. */
function exchange(line: string, fields = ""): Exchange {
  const text = `${line} HTTP/1.1\r\nHost: a\r\n${fields}\r\n`;
  const head = readRequestHead(Buffer.from(text, "latin1"), { headBytes: 65_536, headFields: 200 }) as RequestHead;
  return Object.assign(new HeadFields(head), { method: head.method, target: head.target }) as unknown as Exchange;
}

function matches(match: Partial<Match>, line: string, fields?: string): boolean {
  return compileMatch({ path: undefined, methods: undefined, headers: [], ...match })(exchange(line, fields));
}

test("nothing asked matches everything", () => {
  expect(matches({}, "GET /")).toBe(true);
  expect(matches({}, "OPTIONS *")).toBe(true);
});

describe("an exact path", () => {
  const path = { exact: "/hello" };
  test.each(["/hello", "/hello?", "/hello?a=b", "http://b/hello?x"])("takes %s", (target) => {
    expect(matches({ path }, `GET ${target}`)).toBe(true);
  });
  test.each([
    "/",
    "/hell",
    "/hello/",
    "/helloo",
    "/Hello",
    "/hello%3f",
    "//hello",
    "/x?/hello",
    "/%68ello",
    "/hello;a",
  ])("leaves %s", (target) => {
    expect(matches({ path }, `GET ${target}`)).toBe(false);
  });
});

describe("a prefix", () => {
  const path = { prefix: "/a/" };
  test.each(["/a/", "/a/b", "/a/?x", "/a//"])("takes %s", (target) => {
    expect(matches({ path }, `GET ${target}`)).toBe(true);
  });
  test.each(["/a", "/a?/a/", "/ab/", "/A/b", "/b/a/"])("leaves %s", (target) => {
    expect(matches({ path }, `GET ${target}`)).toBe(false);
  });
});

test("one method, or any of several, with case", () => {
  expect(matches({ methods: ["GET"] }, "GET /")).toBe(true);
  expect(matches({ methods: ["GET"] }, "get /")).toBe(false);
  expect(matches({ methods: ["GET", "HEAD"] }, "HEAD /")).toBe(true);
  expect(matches({ methods: ["GET", "HEAD"] }, "POST /")).toBe(false);
});

describe("a header", () => {
  test("that equals", () => {
    const headers = [{ name: "x-a", equals: "1" }];
    expect(matches({ headers }, "GET /", "X-A:  1 \r\n")).toBe(true);
    for (const fields of ["", "X-A: 2\r\n", "X-A: 1\r\nx-a: 1\r\n", "X-AB: 1\r\n"])
      expect(matches({ headers }, "GET /", fields)).toBe(false);
  });

  test("that is there, or is not", () => {
    const [there, absent] = [true, false].map((present) => [{ name: "x-a", present }]);
    expect([matches({ headers: there! }, "GET /", "x-A:\r\n"), matches({ headers: there! }, "GET /")]).toEqual([
      true,
      false,
    ]);
    expect([matches({ headers: absent! }, "GET /", "x-A:\r\n"), matches({ headers: absent! }, "GET /")]).toEqual([
      false,
      true,
    ]);
  });

  test("that matches, each time anew", () => {
    const headers = [{ name: "x-a", matches: /^b+$/ }];
    for (let i = 0; i < 3; i++) expect(matches({ headers }, "GET /", "X-A: bbb\r\n")).toBe(true);
    expect(matches({ headers }, "GET /", "X-A: bab\r\n")).toBe(false);
    expect(matches({ headers }, "GET /")).toBe(false);
  });
});

test("all conditions must hold", () => {
  const match = { path: { exact: "/a" }, methods: ["GET"], headers: [{ name: "x", equals: "1" }] };
  expect(matches(match, "GET /a", "X: 1\r\n")).toBe(true);
  expect(matches(match, "GET /b", "X: 1\r\n")).toBe(false);
  expect(matches(match, "PUT /a", "X: 1\r\n")).toBe(false);
  expect(matches(match, "GET /a", "X: 2\r\n")).toBe(false);
});
