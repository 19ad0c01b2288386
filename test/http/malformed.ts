/**
 * Requests that two servers could read differently, or that nobody should send: each with the one answer it may get.
 * Every one is sent with `smuggled` behind it, which must never be seen by anybody.
 */
import type { FailureCode } from "../../src/errors.ts";

export interface Malformed {
  readonly name: string;
  readonly code: FailureCode;
  readonly status: number;
  readonly bytes: string;
}

export const smuggled = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

type Table = Record<string, string>;

function rows(status: number, code: FailureCode, table: Table): Malformed[] {
  return Object.entries(table).map(([name, bytes]) => ({ name, code, status, bytes: bytes + smuggled }));
}

const host = "Host: a\r\n";

function line(text: string): string {
  return `${text}\r\n${host}\r\n`;
}

function fields(text: string): string {
  return `POST / HTTP/1.1\r\n${host}${text}\r\n`;
}

/** One POST per text, with five bytes of body. */
function each(texts: readonly string[], of: (text: string) => string, title = "", body = "hello"): Table {
  return Object.fromEntries(texts.map((text) => [`${title}${JSON.stringify(text)}`, of(text) + body]));
}

function length(value: string): string {
  return fields(`Content-Length:${value}\r\n`);
}

function coding(value: string): string {
  return fields(`Transfer-Encoding:${value}\r\n`);
}

const chunked = "Transfer-Encoding: chunked\r\n";

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

const badTargets = [
  ...["/\xe9", "/é", "/#x", "#", "/a\0", "/a\x7f", "/a\x01", "/a b", "/a\tb", "/a\rb", "/a\nb", "/a\r\n/b"],
  ...["", "a", "a:80", "*a", "**", "*", "?a", "http:", "http:/a", "http://", "http:///", "http:///a", "http://?a"],
  ...["https://a/", "ftp://a/", "http://u:p@a/", "http://u@a/", "http://a:99999/", "http://a:b/", "http://a:/"],
  ...["http://[::1/", "http://a\\b/", "http://a b/", "ws://a/", "data:,x", "http//a/", "\\a", "..", "%2f"],
];
const badVersions = [
  ...["http/1.1", "Http/1.1", "HTTP/1", "HTTP/1.", "HTTP/.1", "HTTP/11", "HTTP/1.1.1", "HTTP/01.1", "HTTP/1.01"],
  ...["HTTP/1.10", "HTTP/-1.1", "HTTP/+1.1", "HTTP/ 1.1", "HTTP/1 .1", "HTTP 1.1", "HTTPS/1.1", "XHTTP/1.1"],
  ...["HTTP/1.1 ", "HTTP/1.1\t", "HTTP/1.1\0", "HTTP/1.1\r", "HTTP/1.x", "HTTP/x.1", "HTTP/1,1", "HTTP/2", ""],
];
const badStarts = [" ", "\t", "\r\n", "\n", "\r", "\0", "\r\n\r\n", " \r\n", "\xef\xbb\xbf", ":"];

const requestLines = rows(400, "bad_request_line", {
  "HTTP/0.9": `GET /\r\n${host}\r\n`,
  "HTTP/0.9 with a space": `GET / \r\n${host}\r\n`,
  "only a method": `GET\r\n${host}\r\n`,
  "two spaces after the method": line("GET  / HTTP/1.1"),
  "two spaces before the version": line("GET /  HTTP/1.1"),
  "tabs between the parts": line("GET\t/\tHTTP/1.1"),
  "a tab after the method": line("GET\t/ HTTP/1.1"),
  "VT after the method": line("GET\x0b/ HTTP/1.1"),
  "NBSP after the method": line("GET\xa0/ HTTP/1.1"),
  "LF ends the request line": `GET / HTTP/1.1\n${host}\r\n`,
  "CR ends the request line": `GET / HTTP/1.1\r${host}\r\n`,
  "CR LF inside the request line": `GET /\r\n HTTP/1.1\r\n${host}\r\n`,
  "a fourth part": line("GET / HTTP/1.1 x"),
  "a TLS client hello": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "a JSON document": '{"a":1}\r\n\r\n',
  "OPTIONS with *x": line("OPTIONS *x HTTP/1.1"),
  ...each(
    ["GE(T", "G\xe9T", "GET:", "G,T", "G/T", 'G"T', "G[T", "G\0T", "GET\x7f"],
    (method) => line(`${method} / HTTP/1.1`),
    "method ",
    "",
  ),
  ...each(badTargets, (target) => line(`GET ${target} HTTP/1.1`), "target ", ""),
  ...each(badVersions, (version) => line(`GET / ${version}`), "version ", ""),
  ...each(badStarts, (start) => `${start}${line("GET / HTTP/1.1")}`, "beginning with ", ""),
});

const versions = rows(505, "bad_version", {
  ...each(
    ["0.0", "0.9", "1.2", "1.9", "2.0", "3.0", "9.9"],
    (version) => line(`GET / HTTP/${version}`),
    "version ",
    "",
  ),
  "the preface of HTTP/2": "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
  "1.2 with chunked": `POST / HTTP/1.2\r\n${host}${chunked}\r\n0\r\n\r\n`,
});

const connects = rows(405, "connect_refused", {
  ...each(["a:80", "/", "/a", "*", "http://a/", "a"], (target) => line(`CONNECT ${target} HTTP/1.1`), "CONNECT ", ""),
  "CONNECT without Host": "CONNECT a:80 HTTP/1.1\r\n\r\n",
  "CONNECT in HTTP/1.0": "CONNECT a:80 HTTP/1.0\r\n\r\n",
});

const badHosts = [
  ...["", "a b", "a/b", "a?b", "a#b", "u@a", "u:p@a", "http://a", "a:", "a:x", "a:65536", "a:-1", "a:+1", "a:80:80"],
  ...[
    "[::1",
    "::1",
    "[g::1]",
    "[]",
    "[::1]x",
    "[::1]:x",
    "a\\b",
    "\xe9",
    "a\xa0",
    "<a>",
    'a"b',
    "a^b",
    "a|b",
    "a`b",
    "{a}",
    ":80",
  ],
];

const hosts = rows(400, "bad_host", {
  "no Host": "GET / HTTP/1.1\r\n\r\n",
  "no Host but an absolute target": "GET http://a/ HTTP/1.1\r\n\r\n",
  "Host twice": `GET / HTTP/1.1\r\n${host}${host}\r\n`,
  "Host twice, different": `GET / HTTP/1.1\r\n${host}Host: b\r\n\r\n`,
  "Host twice, in different case": `GET / HTTP/1.1\r\n${host}hOST: a\r\n\r\n`,
  "Host twice with an absolute target": `GET http://a/ HTTP/1.1\r\n${host}${host}\r\n`,
  "Host twice in HTTP/1.0": `GET / HTTP/1.0\r\n${host}Host: b\r\n\r\n`,
  "a bad Host in HTTP/1.0": "GET / HTTP/1.0\r\nHost: a/b\r\n\r\n",
  "a bad Host with an absolute target": "GET http://a/ HTTP/1.1\r\nHost: u@a\r\n\r\n",
  "a blank Host": "GET / HTTP/1.1\r\nHost:  \t \r\n\r\n",
  "a good Host, then an empty one": `GET / HTTP/1.1\r\n${host}Host:\r\n\r\n`,
  ...each(badHosts, (value) => `GET / HTTP/1.1\r\nHost: ${value}\r\n\r\n`, "Host ", ""),
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

function body(text: string): string {
  return fields(chunked) + text;
}

const badSizes = [
  ...[
    "",
    "g",
    "-5",
    "+5",
    "0x5",
    " 5",
    "5 ",
    "\t5",
    "5\t",
    "5,",
    "5.0",
    "5\x0b",
    "5\0",
    "\xb5",
    "5h",
    "x5",
    "5\xa0",
    "--5",
    "1_0",
  ],
  ...[
    "1000000000005",
    "FFFFFFFFFFFFFFFFF",
    "00000000000005",
    "10000000000000005",
    "5\r",
    "5\n5",
    "0x",
    "5 ;a",
    "'5'",
    '"5"',
    ";a=b",
  ],
];
const badExtensions = ["a\0b", "a\nb", "a\rb", "\x7f", "a\x01", "\x0b", `a=${"b".repeat(1024)}`, "\r\r"];
const badTrailers = [
  ...["Content-Length: 5", "transfer-encoding: chunked", "Host: b", "Connection: close", "TE: trailers", "Upgrade: x"],
  ...[
    "Trailer: x",
    "Authorization: x",
    "Cookie: a=b",
    "Expect: 100-continue",
    "Content-Type: a/b",
    "Content-Encoding: x",
  ],
  ...["Content-Range: x", "X-Forwarded-For: 1.1.1.1", "X-Forwarded-Anything: x", "Forwarded: for=x", "X-Request-Id: x"],
  ...[
    "X: a\r\n b",
    " X: a",
    "X : a",
    "X\t: a",
    "X: a\0",
    "X: a\x7f",
    "X: a\nY: b",
    "X: a\rY: b",
    ": a",
    "nonsense",
    "X\xe9: a",
  ],
  ...["GET / HTTP/1.1", `X: ${"a".repeat(17_000)}`, "X: a\r", "\rX: a", "\n"],
];

const chunks = rows(400, "bad_chunk", {
  ...each(badSizes, (size) => body(`${size}\r\nhello\r\n0\r\n\r\n`), "chunk size ", ""),
  ...each(badExtensions, (extension) => body(`5;${extension}\r\nhello\r\n0\r\n\r\n`), "chunk extension ", ""),
  ...each(badTrailers, (trailer) => body(`0\r\n${trailer}\r\n\r\n`), "trailer ", ""),
  "LF after a size": body("5\nhello\r\n0\r\n\r\n"),
  "CR after a size": body("5\rhello\r\n0\r\n\r\n"),
  "LF after a chunk": body("5\r\nhello\n0\r\n\r\n"),
  "CR after a chunk": body("5\r\nhello\r0\r\n\r\n"),
  "nothing after a chunk": body("5\r\nhello0\r\n\r\n"),
  "two bytes after a chunk": body("5\r\nhelloXX0\r\n\r\n"),
  "a chunk longer than its size": body("4\r\nhello\r\n0\r\n\r\n"),
  "a chunk shorter than its size": body("6\r\nhello\r\n0\r\n\r\n"),
  "LF after the last chunk's size": body("0\n\r\n"),
  "LF instead of the last line": body("0\r\n\n"),
  "CR without LF at the end": body("0\r\n\rX"),
  "a second good chunk missing": body("5\r\nhello\r\n\r\n"),
  "a bad chunk after a good one": body("5\r\nhello\r\nZ\r\n"),
  "a good trailer before a bad one": body("0\r\nX: y\r\nContent-Length: 5\r\n\r\n"),
});

/** All of them. */
export const malformed: readonly Malformed[] = [
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
