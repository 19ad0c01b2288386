/** Chunked bodies that must be refused. */
import { chunked, each, fields, rows } from "./malformed-row.ts";

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

export const chunks = rows(400, "bad_chunk", {
  ...each(badSizes, (size) => body(`${size}\r\nhello\r\n0\r\n\r\n`), "chunk size ", ""),
  ...each(badExtensions, (extension) => body(`5;${extension}\r\nhello\r\n0\r\n\r\n`), "chunk extension ", ""),
  ...each(badTrailers, (trailer) => body(`0\r\n${trailer}\r\n\r\n`), "trailer ", ""),
  "LF after a size": body("5\nhello\r\n0\r\n\r\n"),
  "CR after a size": body("5\rhello\r\n0\r\n\r\n"),
  "LF after a chunk": body("5\r\nhello\n0\r\n\r\n"),
  "CR after a chunk": body("5\r\nhello\r0\r\n\r\n"),
  "CR and another byte after a chunk": body("5\r\nhello\rX0\r\n\r\n"),
  "another byte and LF after a chunk": body("5\r\nhelloX\n0\r\n\r\n"),
  "CR and another byte after a size": body("5\rXhello\r\n0\r\n\r\n"),
  "CR and another byte after the last chunk's size": body("0\rX\r\n"),
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
