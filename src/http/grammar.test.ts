import { describe, expect, test } from "bun:test";
import { isAll, isAuthority, isName, kinds, TARGET, TOKEN, trimmed, VALUE } from "./grammar.ts";

function allOf(kind: number): string {
  return Array.from({ length: 256 }, (_, code) => ((kinds[code]! & kind) !== 0 ? String.fromCharCode(code) : "")).join(
    "",
  );
}

describe("characters", () => {
  test("of a token are those of RFC 9110 section 5.6.2", () => {
    expect(allOf(TOKEN)).toBe("!#$%&'*+-.0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ^_`abcdefghijklmnopqrstuvwxyz|~");
  });

  test("of a value are tab, what can be seen, space, and all bytes from 0x80 on", () => {
    const codes = [...allOf(VALUE)].map((character) => character.charCodeAt(0));
    expect(codes).toHaveLength(1 + 0x5f + 0x80);
    expect(codes.filter((code) => code < 32)).toEqual([9]);
    expect(codes).not.toContain(127);
  });

  test("of a target are those that can be seen, without the hash", () => {
    expect(allOf(TARGET)).toBe(
      Array.from({ length: 94 }, (_, i) => String.fromCharCode(33 + i))
        .join("")
        .replace("#", ""),
    );
  });
});

test("isAll wants at least one character, and none beyond a byte", () => {
  expect(isAll("abc", TOKEN)).toBe(true);
  for (const text of ["", "a b", "a\0", "漢", "a\u{141}"]) expect(isAll(text, TOKEN)).toBe(false);
  expect(isAll("a\xff", VALUE)).toBe(true);
  expect(isAll("Ġ", VALUE)).toBe(false);
});

describe("an authority", () => {
  test.each([
    "a",
    "a.b-c_d~e",
    "A.EXAMPLE",
    "1.2.3.4",
    "a:0",
    "a:80",
    "a:65535",
    "a:00080",
    "[::1]",
    "[::ffff:1.2.3.4]:80",
    "%41",
    "a!$&'()*+,;=",
  ])("%s", (text) => expect(isAuthority(text)).toBe(true));

  test.each([
    "",
    " ",
    "a b",
    "a/",
    "a?",
    "a#",
    "@",
    "u@a",
    "a:",
    "a:b",
    "a:65536",
    "a:123456",
    "a:-1",
    "a:1:2",
    "::1",
    "[::1",
    "::1]",
    "[]",
    "[g]",
    "[::1]a",
    "a\\",
    "é",
    "a\xa0",
    "a\0",
    "a\n",
    '"a"',
    "<a>",
    "a^",
    "a|",
    "a`",
    "{a}",
  ])("not %p", (text) => expect(isAuthority(text)).toBe(false));
});

test("isName ignores case, and nothing else", () => {
  const is = (text: string, name: string) => isName(Buffer.from(text, "latin1"), 1, name);
  expect(is("xHost", "host")).toBe(true);
  expect(is("xhOST:", "host")).toBe(true);
  expect(is("xx-Forwarded-For", "x-forwarded-for")).toBe(true);
  for (const text of ["xHos", "xH0st", "x\x48\x4f\x13t", "xhosu"]) expect(is(text, "host")).toBe(false);
  expect(is("xX_Forwarded-For", "x-forwarded-for")).toBe(false);
});

test("trimmed takes spaces and tabs, and no other white space", () => {
  expect([" a ", "\t a b\t", "a", "", " \t ", "\xa0a\x85", "\u{b}a "].map(trimmed)).toEqual([
    "a",
    "a b",
    "a",
    "",
    "",
    "\xa0a\x85",
    "\u{b}a",
  ]);
});
