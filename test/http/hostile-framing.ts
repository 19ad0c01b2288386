/** Attacks on where a body ends: CL.TE, TE.CL, TE.TE, CL.0, chunk sizes, ends, extensions and trailers. */
import { chunked, get, type HostileRow, host, last, passed, post, refused } from "./hostile-row.ts";

const inner = "GET /smuggled HTTP/1.1\r\nHost: a\r\nX: y";
const good = "5\r\nhello\r\n0\r\n\r\n";

function chunks(body: string, fields = ""): string {
  return post(`${fields}${chunked}`, body);
}

/** The chunk that holds a whole request, as TE.CL attacks send it. */
const innerChunk = `${inner.length.toString(16)}\r\n${inner}\r\n0\r\n\r\n`;

const both = refused("CL.TE and TE.CL", 400, {
  "CL.TE: the length covers a request behind the last chunk": post(
    `Content-Length: ${5 + inner.length}\r\n${chunked}`,
    `0\r\n\r\n${inner}`,
  ),
  "CL.TE in HTTP/1.1 with Connection: keep-alive": post(
    `Connection: keep-alive\r\nContent-Length: 6\r\n${chunked}`,
    "0\r\n\r\nG",
  ),
  "TE.CL: the length ends behind the first size line": post(`Content-Length: 4\r\n${chunked}`, innerChunk),
  "TE.CL with length 3": post(`Content-Length: 3\r\n${chunked}`, `1\r\nZ\r\nQ\r\n\r\n`),
  "TE.0: chunked, then a length of 0": post(`${chunked}Content-Length: 0\r\n`, innerChunk),
  "OPTIONS with both": `OPTIONS / HTTP/1.1\r\n${host}Content-Length: 4\r\n${chunked}\r\n${innerChunk}`,
  "GET with both": `GET / HTTP/1.1\r\n${host}Content-Length: 4\r\n${chunked}\r\n${innerChunk}`,
  "both, fifty fields apart": post(`Content-Length: 4\r\n${"X: y\r\n".repeat(50)}${chunked}`, innerChunk),
  "both, the length nominated by Connection in odd case": post(
    `Connection: cOnTeNt-LeNgTh\r\nContent-Length: 4\r\n${chunked}`,
    innerChunk,
  ),
  "both nominated by Connection": post(
    `Connection: content-length, transfer-encoding\r\nContent-Length: 4\r\n${chunked}`,
    innerChunk,
  ),
});

const lengths = refused("CL", 400, {
  "three lengths, the outer ones equal": post(
    "Content-Length: 5\r\nContent-Length: 0\r\nContent-Length: 5\r\n",
    "hello",
  ),
  "equal lengths written differently": post("Content-Length: 5\r\nContent-Length: 05\r\n", "hello"),
  "a list of equal lengths without a space": post("Content-Length: 5,5\r\n", "hello"),
  "a length, a comma": post("Content-Length: 5,\r\n", "hello"),
  "a comma, a length": post("Content-Length: ,5\r\n", "hello"),
  "a length and a parameter": post("Content-Length: 5;x=y\r\n", "hello"),
  "a length of 2^64 + 5": post("Content-Length: 18446744073709551621\r\n", "hello"),
  "a length of 2^63": post("Content-Length: 9223372036854775808\r\n", "hello"),
  "a length of sixteen digits": post("Content-Length: 0000000000000005\r\n", "hello"),
  "digits of another script": post("Content-Length: \xd9\xa5\r\n", "hello"),
  "a superscript digit": post("Content-Length: \xb2\r\n", "hello"),
  "a length in octal": post("Content-Length: 0o5\r\n", "hello"),
  "a length in scientific notation": post("Content-Length: 5e0\r\n", "hello"),
  "a length with a thousands separator": post("Content-Length: 1_000\r\n", "hello"),
  "a length with an inner space": post("Content-Length: 1 0\r\n", "hello"),
  "a length in brackets": post("Content-Length: (5)\r\n", "hello"),
});

const codings = [
  ...refused("TE.TE", 501, {
    "a coding that only ends in chunked": post("Transfer-Encoding: x-chunked\r\n", good),
    "chunked in apostrophes": post("Transfer-Encoding: 'chunked'\r\n", good),
    "chunked with a parameter": post("Transfer-Encoding: chunked;foo=bar\r\n", good),
    "chunked with a dot": post("Transfer-Encoding: chunked.\r\n", good),
    "a byte from 0x80 on before chunked": post("Transfer-Encoding: \xffchunked\r\n", good),
    "chunked with a long s": post("Transfer-Encoding: chunked\xc5\xbf\r\n", good),
    "chunked with a Kelvin sign": post("Transfer-Encoding: chun\xe2\x84\xaaed\r\n", good),
    "chunked, a list of nothing": post("Transfer-Encoding: chunked, ,\r\n", good),
    "identity, then chunked in a second line": post(`Transfer-Encoding: identity\r\n${chunked}`, good),
    "an empty coding, then chunked in a second line": post(`Transfer-Encoding:\r\n${chunked}`, good),
    "chunked and gzip in one line": post("Transfer-Encoding: gzip,chunked\r\n", good),
    "chunked split by a comma": post("Transfer-Encoding: chunk,ed\r\n", good),
    "a name nobody knows and a length": post("Transfer-Encoding: cow\r\nContent-Length: 5\r\n", "hello"),
  }),
  ...refused("TE.TE", 400, {
    "chunked, then a coding that is none": post(`${chunked}Transfer-Encoding: cow\r\n`, good),
    "a space before the colon": post("Transfer-Encoding : chunked\r\n", good),
    "a line before it that ends with LF only": post(`X: y\n${chunked}`, good),
    "a line before it that ends with CR only": post(`X: y\r${chunked}`, good),
    "a CR before the name": post(`X: y\r\n\r${chunked}`, good),
    "the name on one line and the colon on the next": post("Transfer-Encoding\r\n: chunked\r\n", good),
    "folded behind another field": post(`X: y\r\n ${chunked}`, good),
    "folded by a tab": post(`X: y\r\n\t${chunked}`, good),
    "NUL behind the name": post("Transfer-Encoding\0: chunked\r\n", good),
    "NUL before chunked": post("Transfer-Encoding: \0chunked\r\n", good),
    "a backspace in the name": post("Transfer-Encoding\b: chunked\r\n", good),
    "FF before chunked": post("Transfer-Encoding: \fchunked\r\n", good),
    "a name with a byte from 0x80 on": post("Transfer-Encoding\x85: chunked\r\n", good),
  }),
];

/** Twins that CGI, WSGI and Rack make one name of (RFC 3875 section 4.1.18). */
const twins = refused("names that become one name", 400, {
  Content_Length: post("Content_Length: 5\r\n", "hello"),
  "Content_Length beside Content-Length": post("Content-Length: 5\r\nContent_Length: 0\r\n", "hello"),
  "content_length in odd case": post("cONTENT_lENGTH: 5\r\n", "hello"),
  Transfer_Encoding: post("Transfer_Encoding: chunked\r\n", good),
  "Transfer_Encoding beside a length": post("Content-Length: 5\r\nTransfer_Encoding: chunked\r\n", "hello"),
  "Transfer_Encoding beside Transfer-Encoding": post(`${chunked}Transfer_Encoding: identity\r\n`, good),
});

const sizes = refused("chunk sizes", 400, {
  "2^64 + 5": chunks("10000000000000005\r\nhello\r\n0\r\n\r\n"),
  "2^64 - 1": chunks("FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"),
  "-1 as two's complement, negated": chunks("-FFFFFFFFFFFFFFFF\r\nhello\r\n0\r\n\r\n"),
  "thirteen zeros and a five": chunks("00000000000005\r\nhello\r\n0\r\n\r\n"),
  "a hundred zeros": chunks(`${"0".repeat(100)}\r\n\r\n`),
  "0x and capital digits": chunks("0X5\r\nhello\r\n0\r\n\r\n"),
  "a percent escape": chunks("%35\r\nhello\r\n0\r\n\r\n"),
  "an underscore": chunks("0_5\r\nhello\r\n0\r\n\r\n"),
  "a full-width digit": chunks("\xef\xbc\x95\r\nhello\r\n0\r\n\r\n"),
  "a sign behind": chunks("5+\r\nhello\r\n0\r\n\r\n"),
  "a sign before the last": chunks("5\r\nhello\r\n+0\r\n\r\n"),
  "minus nothing as the last": chunks("5\r\nhello\r\n-0\r\n\r\n"),
  "a space before the last": chunks("5\r\nhello\r\n 0\r\n\r\n"),
  "a tab behind the last": chunks("5\r\nhello\r\n0\t\r\n\r\n"),
  "a space before a semicolon": chunks("5 ;a\r\nhello\r\n0\r\n\r\n"),
  "an empty line before the first": chunks("\r\n5\r\nhello\r\n0\r\n\r\n"),
  "an empty line before the last": chunks("5\r\nhello\r\n\r\n0\r\n\r\n"),
  "NUL behind": chunks("5\0\r\nhello\r\n0\r\n\r\n"),
  "a point": chunks("5.\r\nhello\r\n0\r\n\r\n"),
  "a comma-separated pair": chunks("5,5\r\nhello\r\n0\r\n\r\n"),
});

const ends = refused("chunk ends", 400, {
  "LF, CR instead of CR, LF after a size": chunks("5\n\rhello\r\n0\r\n\r\n"),
  "CR, CR, LF after a size": chunks("5\r\r\nhello\r\n0\r\n\r\n"),
  "LF, LF after the last size": chunks("5\r\nhello\r\n0\n\n"),
  "LF, LF after data": chunks("5\r\nhello\n\n0\r\n\r\n"),
  "LF, CR after data": chunks("5\r\nhello\n\r0\r\n\r\n"),
  "a NUL after data": chunks("5\r\nhello\0\r\n0\r\n\r\n"),
  "a space after data": chunks("5\r\nhello \r\n0\r\n\r\n"),
  "a size at once after data": chunks("5\r\nhello5\r\nhello\r\n0\r\n\r\n"),
  "two bytes that are not CR, LF after data": chunks("5\r\nhelloXY0\r\n\r\n"),
  "CR, CR, LF at the end": chunks("0\r\n\r\r\n"),
  "a space on the last line": chunks("0\r\n \r\n\r\n"),
  "a chunk behind the last one": chunks("0\r\n5\r\nhello\r\n0\r\n\r\n"),
});

const extensions = [
  ...refused("chunk extensions", 400, {
    "LF (a line that two parsers end differently)": chunks("5;\nxx\r\nhello\r\n0\r\n\r\n"),
    "LF in the last chunk's": chunks("5\r\nhello\r\n0;\n\r\n\r\n"),
    CR: chunks("5;\rxx\r\nhello\r\n0\r\n\r\n"),
    "CR LF inside quotes, and the quote is never closed": chunks('5;a="\r\nhell\r\n0\r\n\r\n'),
    "LF inside quotes": chunks('5;a="\n"\r\nhello\r\n0\r\n\r\n'),
    "an escaped LF inside quotes": chunks('5;a="\\\n"\r\nhello\r\n0\r\n\r\n'),
    "NUL inside quotes": chunks('5;a="\0"\r\nhello\r\n0\r\n\r\n'),
    "2 KiB": chunks(`5;${"a".repeat(2048)}\r\nhello\r\n0\r\n\r\n`),
    "2 KiB on the last chunk": chunks(`5\r\nhello\r\n0;${"a".repeat(2048)}\r\n\r\n`),
    "a colon instead of a semicolon": chunks("5:a=b\r\nhello\r\n0\r\n\r\n"),
    "without a semicolon": chunks("5a=b\r\nhello\r\n0\r\n\r\n"),
  }),
  ...passed("chunk extensions", {
    "are dropped": [chunks('5;a;b=c;d="e;f"\r\nhello\r\n0;last\r\n\r\n'), chunks(good)],
    "that look like a size are dropped": [chunks("5;0\r\nhello\r\n0;5\r\n\r\n"), chunks(good)],
    "with a quote that is never closed end with their line": [chunks('5;a="\r\nhello\r\n0\r\n\r\n'), chunks(good)],
    "with an escaped quote end with their line": [chunks('5;a="\\"\r\nhello\r\n0\r\n\r\n'), chunks(good)],
    "of 1,000 bytes are dropped": [chunks(`5;${"a".repeat(1000)}\r\nhello\r\n0\r\n\r\n`), chunks(good)],
  }),
];

const badTrailers = [
  ...["Content-Length: 5", "Transfer-Encoding: chunked", "Host: b", "Connection: close", "Keep-Alive: timeout=5"],
  ...["Proxy-Connection: close", "Proxy-Authorization: x", "Authorization: x", "Cookie: a=b", "TE: trailers"],
  ...["Content_Length: 5", "Transfer_Encoding: chunked", "X_Forwarded_For: 1.1.1.1", "X-Request_Id: 5"],
  ...["Max-Forwards: 0", "Range: bytes=0-1", "If-Match: x", "If-None-Match: x", "Expect: 100-continue"],
  ...["Upgrade: websocket", "Trailer: X", "Content-Type: a/b", "Forwarded: for=x", "X-Forwarded-Proto: https"],
];

const trailers = [
  ...refused(
    "trailers",
    400,
    Object.fromEntries(badTrailers.map((line) => [line, chunks(`5\r\nhello\r\n0\r\n${line}\r\n\r\n`)])),
  ),
  ...refused("trailers", 400, {
    "a request line": chunks("0\r\nGET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n"),
    "a fold that hides one": chunks("0\r\nX: y\r\n Content-Length: 5\r\n\r\n"),
    "an LF that hides one": chunks("0\r\nX: y\nContent-Length: 5\r\n\r\n"),
    "a CR that hides one": chunks("0\r\nX: y\rContent-Length: 5\r\n\r\n"),
  }),
  ...passed("trailers", {
    "of its own go on": chunks("5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Sum: 2\r\n\r\n"),
    "that Connection names are taken out": [
      chunks("5\r\nhello\r\n0\r\nX-Hop: 1\r\nX-Sum: 2\r\nx-hop: 3\r\n\r\n", "Connection: x-hop\r\n"),
      chunks("5\r\nhello\r\n0\r\nX-Sum: 2\r\n\r\n"),
    ],
  }),
];

const emptyBody = [
  ...passed("CL.0", {
    "a body with GET": get(`Content-Length: ${inner.length}\r\n`) + inner,
    "a chunked body with GET": `${get(chunked)}${innerChunk}`,
    "a body with HEAD": `HEAD / HTTP/1.1\r\n${host}Content-Length: 5\r\n\r\nhello`,
    "a body with DELETE": `DELETE / HTTP/1.1\r\n${host}Content-Length: ${inner.length}\r\n\r\n${inner}`,
    "a body with OPTIONS *": `OPTIONS * HTTP/1.1\r\n${host}Content-Length: ${inner.length}\r\n\r\n${inner}`,
    "a POST that declares nothing": post(""),
    "a POST of length 0": post("Content-Length: 0\r\n"),
    "a POST of length 000": post("Content-Length: 000\r\n"),
    "a request as a body": post(`Content-Length: ${inner.length}\r\n`, inner),
    "a last chunk as a body of length 5": post("Content-Length: 5\r\n", "0\r\n\r\n"),
    "a request as a chunk": chunks(innerChunk),
    "a last chunk inside a chunk": chunks("5\r\n0\r\n\r\n\r\n0\r\n\r\n"),
  }),
  ...last("CL.0", {
    "a body in HTTP/1.0": [
      `POST / HTTP/1.0\r\n${host}Content-Length: 5\r\n\r\nhello`,
      post("Content-Length: 5\r\n", "hello"),
    ],
    "a body that HTTP/1.0 does not declare": [`POST / HTTP/1.0\r\n${host}\r\n`, post("")],
  }),
];

export const framingRows: readonly HostileRow[] = [
  ...both,
  ...lengths,
  ...codings,
  ...twins,
  ...sizes,
  ...ends,
  ...extensions,
  ...trailers,
  ...emptyBody,
];
