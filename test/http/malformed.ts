/**
 * Requests that two servers could read differently, or that nobody should send: each with the one answer it may get.
 * Every one is sent with `smuggled` behind it, which must never be seen by anybody.
 */
import { chunks } from "./malformed-chunks.ts";
import { connects, encrypted, hosts, requestLines, versions } from "./malformed-lines.ts";
import { chunked, each, fields, host, line, type Malformed, rows } from "./malformed-row.ts";

export { type Malformed, smuggled } from "./malformed-row.ts";

function length(value: string): string {
  return fields(`Content-Length:${value}\r\n`);
}

function coding(value: string): string {
  return fields(`Transfer-Encoding:${value}\r\n`);
}

const framing = rows(400, "bad_framing", {
  "a length, then chunked": `${fields(`Content-Length: 5\r\n${chunked}`)}0\r\n\r\n`,
  "chunked, then a length": `${fields(`${chunked}Content-Length: 5\r\n`)}0\r\n\r\n`,
  "chunked and length 0": `${fields(`${chunked}Content-Length: 0\r\n`)}0\r\n\r\n`,
  "both in odd case": `${fields("tRANSFER-eNCODING: cHUNKED\r\ncONTENT-lENGTH: 5\r\n")}0\r\n\r\n`,
  "both, one named by Connection": `${fields(`Connection: content-length\r\nContent-Length: 5\r\n${chunked}`)}0\r\n\r\n`,
  "both, the other named by Connection": `${fields(`Connection: transfer-encoding\r\nContent-Length: 5\r\n${chunked}`)}0\r\n\r\n`,
  "two lengths that differ": `${fields("Content-Length: 5\r\nContent-Length: 6\r\n")}hello`,
  "two equal lengths": `${fields("Content-Length: 5\r\nContent-Length: 5\r\n")}hello`,
  "two lengths in different case": `${fields("content-length: 5\r\nCONTENT-LENGTH: 5\r\n")}hello`,
  "two lengths of 0": fields("Content-Length: 0\r\nContent-Length: 0\r\n"),
  "two lengths in HTTP/1.0": `POST / HTTP/1.0\r\n${host}Content-Length: 5\r\nContent-Length: 0\r\n\r\nhello`,
  "a length on the next, folded line": `${fields("Content-Length:\r\n 5\r\n")}hello`,
  "chunked twice in one line": `${coding(" chunked, chunked")}0\r\n\r\n`,
  "chunked twice among others": `${coding(" x, chunked, chunked")}0\r\n\r\n`,
  "chunked in two lines": `${fields(chunked + chunked)}0\r\n\r\n`,
  "chunked, then identity": `${fields(`${chunked}Transfer-Encoding: identity\r\n`)}0\r\n\r\n`,
  "chunked, then an empty coding": `${fields(`${chunked}Transfer-Encoding:\r\n`)}0\r\n\r\n`,
  "chunked in HTTP/1.0": `POST / HTTP/1.0\r\n${host}${chunked}\r\n0\r\n\r\n`,
  "chunked in HTTP/1.0 kept alive": `POST / HTTP/1.0\r\n${host}Connection: keep-alive\r\n${chunked}\r\n0\r\n\r\n`,
  ...each(
    [
      ...[
        "",
        " ",
        " +5",
        " -5",
        " -0",
        " 0x5",
        " 5,5",
        " 5, 5",
        " 5 5",
        " 5;",
        " 5.0",
        " 1e1",
        " five",
        " '5'",
        ' "5"',
      ],
      ...[" \xb5", " \xa05", " 5\xa0", " 5_0", " NaN", " Infinity", " 9999999999999999"],
      ...[" 18446744073709551621", " 0000000000000005", " 5\t5", " 0b1", " 0o5", " 5h"],
    ],
    length,
    "length ",
  ),
});

const codings = rows(501, "unknown_transfer_coding", {
  ...each(
    [
      ...[
        " gzip",
        " gzip, chunked",
        " chunked, gzip",
        " identity",
        " identity, chunked",
        "",
        " ",
        " xchunked",
        " chunkedx",
      ],
      ...[" chunked;q=1", ' "chunked"', " chunked,", " ,chunked", " chun ked", " chunked chunked", " chunked\xa0"],
      ...[" \xa0chunked", " \x85chunked", " deflate", " br", " chunked; a", " trailers", " 5", " cow"],
    ],
    coding,
    "coding ",
    "0\r\n\r\n",
  ),
  "gzip, then chunked in a second line": `${fields(`Transfer-Encoding: gzip\r\n${chunked}`)}0\r\n\r\n`,
  "gzip and a length": `${fields("Transfer-Encoding: gzip\r\nContent-Length: 5\r\n")}hello`,
  "a coding on the next, folded line": `${fields("Transfer-Encoding:\r\n chunked\r\n")}0\r\n\r\n`,
  "a length and identity": `${fields("Content-Length: 5\r\nTransfer-Encoding: identity\r\n")}hello`,
  "gzip in HTTP/1.0": `POST / HTTP/1.0\r\n${host}Transfer-Encoding: gzip\r\n\r\n`,
});

const badNames = ["X\0", "X\x01", "X\x0b", "X\x7f", "X\xe9", "X Y", "X(Y)", "X@", "X/", 'X"', "X,", "X[", "X{", "X\\"];
const badControls = ["\0", "\x01", "\x08", "\x0b", "\x0c", "\x1b", "\x1f", "\x7f"];

const headers = rows(400, "bad_header", {
  "LF ends a field": fields("X: y\nZ: w\r\n"),
  "LF ends Host": `GET / HTTP/1.1\r\nHost: a\nX: y\r\n\r\n`,
  "LF LF ends the head": `GET / HTTP/1.1\r\nHost: a\n\n`,
  "LF ends the head": `GET / HTTP/1.1\r\nHost: a\r\n\n`,
  "LF begins a field": fields("\nX: y\r\n"),
  "CR inside a value": fields("X: a\rb\r\n"),
  "CR ends a field": fields("X: a\rContent-Length: 5\r\n"),
  "CR CR LF ends a field": fields("X: a\r\r\n"),
  "CR ends the head": `GET / HTTP/1.1\r\nHost: a\r\n\rX`,
  "CR CR LF ends the head": `GET / HTTP/1.1\r\nHost: a\r\n\r\r\n`,
  "LF CR": fields("X: a\n\rY: b\r\n"),
  "a fold by space": fields("X: a\r\n b\r\n"),
  "a fold by tab": fields("X: a\r\n\tb\r\n"),
  "a folded length": `${fields("Content-Length: 5\r\n 5\r\n")}hello`,
  "a folded coding": `${fields("Transfer-Encoding: chunked\r\n ,x\r\n")}0\r\n\r\n`,
  "a fold after the request line": `GET / HTTP/1.1\r\n X: y\r\n${host}\r\n`,
  "a fold that is only a space": fields("X: a\r\n \r\n"),
  "space before the colon": fields("X : y\r\n"),
  "tab before the colon": fields("X\t: y\r\n"),
  "space before the colon of a coding": `${fields("Transfer-Encoding : chunked\r\n")}0\r\n\r\n`,
  "space before the colon of a length": `${fields("Content-Length : 5\r\n")}hello`,
  "VT before the colon of a coding": `${fields("Transfer-Encoding\x0b: chunked\r\n")}0\r\n\r\n`,
  "space before the colon of Host": "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
  "no name": fields(": y\r\n"),
  "no colon": fields("nonsense\r\n"),
  "a second request line": fields("GET /b HTTP/1.1\r\n"),
  "VT before a length": `${fields("Content-Length: \x0b5\r\n")}hello`,
  "NUL after a coding": `${fields("Transfer-Encoding: chunked\0\r\n")}0\r\n\r\n`,
  "VT before a coding": `${fields("Transfer-Encoding: \x0bchunked\r\n")}0\r\n\r\n`,
  ...each(badNames, (name) => fields(`${name}: y\r\n`), "name ", ""),
  ...each(badControls, (byte) => fields(`X: a${byte}b\r\n`), "value with ", ""),
});

const expectations = rows(417, "expectation_failed", {
  ...each(
    ["200-ok", "100-continue, x", "x, 100-continue", "100", "100-continue;a"],
    (value) => fields(`Expect: ${value}\r\n`),
    "Expect ",
    "",
  ),
  "an unknown one before 100-continue": fields("Expect: x\r\nExpect: 100-continue\r\n"),
  "an unknown one after 100-continue": fields("Expect: 100-continue\r\nExpect: x\r\n"),
});

const manyFields = Array.from({ length: 200 }, (_, i) => `x-${i}: ${i}\r\n`).join("");

const tooLarge = rows(431, "head_too_large", {
  "201 fields": fields(manyFields),
  "201 empty fields": fields("x:\r\n".repeat(200)),
  "a target of 64 KiB": line(`GET /${"a".repeat(65_536)} HTTP/1.1`),
  "a method of 64 KiB": line(`${"G".repeat(65_536)} / HTTP/1.1`),
  "a value of 64 KiB": fields(`X: ${"a".repeat(65_536)}\r\n`),
  "a name of 64 KiB": fields(`${"a".repeat(65_536)}: x\r\n`),
  "fields of 64 KiB together": fields(`X: ${"a".repeat(999)}\r\n`.repeat(66)),
  "one byte more than 64 KiB": fields(`X: ${"a".repeat(65_536 - fields("X: \r\n").length + 1)}\r\n`),
});

/** All of them. */
export const malformed: readonly Malformed[] = [
  ...encrypted,
  ...framing,
  ...codings,
  ...headers,
  ...requestLines,
  ...versions,
  ...connects,
  ...hosts,
  ...expectations,
  ...tooLarge,
  ...chunks,
];
