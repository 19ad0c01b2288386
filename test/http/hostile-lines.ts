/** Attacks on lines: ends, folds, names, the request line, versions, Host and the authority. */
import { get, type HostileRow, host, last, passed, post, refused } from "./hostile-row.ts";

const lineEnds = refused("line ends", 400, {
  "LF ends every line": "GET / HTTP/1.1\nHost: a\n\n",
  "LF ends only the request line": `GET / HTTP/1.1\n${host}\r\n`,
  "LF ends only the last field": "GET / HTTP/1.1\r\nHost: a\n\r\n",
  "LF, CR ends a field": "GET / HTTP/1.1\r\nHost: a\n\r\r\n",
  "CR ends every line": "GET / HTTP/1.1\rHost: a\r\r",
  "CR, CR, LF ends the request line": `GET / HTTP/1.1\r\r\n${host}\r\n`,
  "NEL ends a field": get("X: y\x85\r\x85Z: w\r\n"),
  "VT ends a field": get("X: y\x0bContent-Length: 5\r\n"),
  "a CR in a value, a field behind it": get("X: y\rContent-Length: 5\r\n"),
  "an LF in a value, a field behind it": get("X: y\nContent-Length: 5\r\n"),
  "an LF in a value, a whole request behind it": get("X: y\n\nGET /smuggled HTTP/1.1\nHost: a\n\r\n"),
  "LF in the target": `GET /\n HTTP/1.1\r\n${host}\r\n`,
  "CR in the target": `GET /\rX: y HTTP/1.1\r\n${host}\r\n`,
});

const folds = refused("folds", 400, {
  "a folded Host": "GET / HTTP/1.1\r\nHost: a\r\n b\r\n\r\n",
  "a folded empty Host": "GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n",
  "Host folded behind another field": `GET / HTTP/1.1\r\nX: y\r\n Host: b\r\n${host}\r\n`,
  "a fold by many blanks": get("X: y\r\n \t \t z\r\n"),
  "a fold with a colon": get("X: y\r\n Z: w\r\n"),
  "a fold in Connection": get("Connection: x\r\n , close\r\n"),
  "a fold in Expect": post("Expect: 100-\r\n continue\r\n"),
  "a fold as the last line": get("X: y\r\n \r\n"),
});

const badNames = [
  "",
  " ",
  "\t",
  "\0",
  "X ",
  "X\t",
  " X",
  "\tX",
  "X\0",
  "X\x7f",
  "X\x80",
  "X\xa0",
  "X\xad",
  "\xef\xbb\xbfX",
];
const badNames2 = ["X(", "X)", "X<", "X>", "X@", "X,", "X;", "X\\", 'X"', "X/", "X[", "X]", "X?", "X=", "X{", "X}"];

const names = [
  ...refused(
    "field names",
    400,
    Object.fromEntries([...badNames, ...badNames2].map((name) => [JSON.stringify(name), get(`${name}: y\r\n`)])),
  ),
  ...refused("field names", 400, {
    "Host with a space": "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "Host with a NUL": "GET / HTTP/1.1\r\nHost\0: a\r\n\r\n",
    "Host_ is no Host": "GET / HTTP/1.1\r\nHost_: a\r\n\r\n",
    "a BOM before the first field": `GET / HTTP/1.1\r\n\xef\xbb\xbf${host}\r\n`,
  }),
  ...passed("field names", {
    "twins of what a client claims are taken out with it": [
      get("X_Forwarded_For: 1.1.1.1\r\nA: 1\r\nx-forwarded_proto: https\r\nX_REQUEST-ID: 5\r\nX_Forwarded-Host: b\r\n"),
      get("A: 1\r\n"),
    ],
    "names that only look like claims go on": get("X_Forward: 1\r\nX-Forwarded: 2\r\nXX_Forwarded_For: 3\r\n"),
    "a name that ends in Content-Length": get("X-Content-Length: 5\r\nContent-Length-X: 5\r\n"),
  }),
];

const badValues = ["\0", "\x01", "\x07", "\b", "\x0b", "\f", "\x0e", "\x1b", "\x1f", "\x7f", "\r", "\n"];

const values = refused("splitting by values", 400, {
  ...Object.fromEntries(badValues.map((byte) => [JSON.stringify(byte), get(`X: a${byte}b\r\n`)])),
  "in Host": "GET / HTTP/1.1\r\nHost: a\x0bb\r\n\r\n",
  "in Cookie": get("Cookie: a=b\0; c=d\r\n"),
  "at the beginning": get("X: \0b\r\n"),
  "at the end": get("X: b\0\r\n"),
});

const requestLines = [
  ...refused("request line", 400, {
    "a tab behind the method": `GET\t/ HTTP/1.1\r\n${host}\r\n`,
    "a tab before the version": `GET /\tHTTP/1.1\r\n${host}\r\n`,
    "a space behind the version": `GET / HTTP/1.1 \r\n${host}\r\n`,
    "three spaces": `GET   /   HTTP/1.1\r\n${host}\r\n`,
    "a space before the method": ` GET / HTTP/1.1\r\n${host}\r\n`,
    "an empty line and a space before the method": `\r\n GET / HTTP/1.1\r\n${host}\r\n`,
    "a version, then more": `GET / HTTP/1.1 /smuggled HTTP/1.1\r\n${host}\r\n`,
    "a target with a space and a version": `GET /a HTTP/1.1 HTTP/1.1\r\n${host}\r\n`,
    "NBSP between the parts": `GET\xa0/\xa0HTTP/1.1\r\n${host}\r\n`,
    "HTTP/0.9": "GET /\r\n",
    "HTTP/0.9 with fields": `GET /\r\n${host}\r\n`,
    "a method in brackets": `[GET] / HTTP/1.1\r\n${host}\r\n`,
    "a status line": `HTTP/1.1 200 OK\r\n${host}\r\n`,
    "a fragment": `GET /a#b HTTP/1.1\r\n${host}\r\n`,
    "a backslash first": `GET \\a HTTP/1.1\r\n${host}\r\n`,
    "no slash first": `GET a/b HTTP/1.1\r\n${host}\r\n`,
    "an at sign first": `GET @b/ HTTP/1.1\r\n${host}\r\n`,
    "a NUL in the target": `GET /a\0b HTTP/1.1\r\n${host}\r\n`,
    "a byte from 0x80 on in the target": `GET /\xc0\xaf HTTP/1.1\r\n${host}\r\n`,
    "an asterisk with GET": `GET * HTTP/1.1\r\n${host}\r\n`,
    "a lower-case version": `GET / http/1.1\r\n${host}\r\n`,
    "no minor version": `GET / HTTP/1\r\n${host}\r\n`,
    "two digits": `GET / HTTP/1.11\r\n${host}\r\n`,
    "a NUL behind the version": `GET / HTTP/1.1\0\r\n${host}\r\n`,
  }),
  ...refused("request line", 505, {
    "HTTP/1.2": `GET / HTTP/1.2\r\n${host}\r\n`,
    "HTTP/0.9 spelt out": `GET / HTTP/0.9\r\n${host}\r\n`,
    "HTTP/2.0": `GET / HTTP/2.0\r\n${host}\r\n`,
    "HTTP/9.9 with a body": `POST / HTTP/9.9\r\n${host}Content-Length: 5\r\n\r\nhello`,
  }),
  ...passed("request line", {
    "a lower-case method is another method": `get / HTTP/1.1\r\n${host}\r\n`,
    "a method that begins like another": `GETX / HTTP/1.1\r\n${host}\r\n`,
    "connect in lower case is no CONNECT": `connect / HTTP/1.1\r\n${host}\r\n`,
    "two slashes first": `GET //b/c HTTP/1.1\r\n${host}\r\n`,
    "escaped line ends": `GET /%0d%0aX:%20y HTTP/1.1\r\n${host}\r\n`,
    "a URL as a path": `GET /http://b/ HTTP/1.1\r\n${host}\r\n`,
  }),
];

const emptyLines = [
  ...refused("empty lines", 400, {
    "one before the first request": `\r\n${get("")}`,
    "an LF before the first request": `\n${get("")}`,
  }),
  ...passed("empty lines", {
    "one behind a request": [`${post("Content-Length: 5\r\n", "hello")}\r\n`, post("Content-Length: 5\r\n", "hello")],
    "one behind a chunked request": [
      `${post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n")}\r\n`,
      post("Transfer-Encoding: chunked\r\n", "0\r\n\r\n"),
    ],
  }),
  ...["\r\n\r\n", "\n", "\r", "\r\r\n", "\n\r\n", " \r\n", "\r\n ", "\0", "\r\n\n"].map(
    (bytes): HostileRow => ({
      family: "empty lines",
      name: `${JSON.stringify(bytes)} behind a request`,
      bytes: `${get("")}${bytes}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`,
      forwarded: [get("")],
      statuses: [200, 400],
      closed: true,
    }),
  ),
];

const badHosts = [
  ...["u@a", "u:p@a", "a@", "@a", "a\\b", "a/b", "a?b", "a#b", "a b", "a\tb", "a,b", " ", "a:80 b", "http://a"],
  ...[
    "a:",
    "a:0x50",
    "a:80a",
    "a:99999",
    "a:-80",
    "a:80:81",
    "[::1",
    "::1",
    "[::1]b",
    "[]",
    "[a]",
    "a%",
    "a%4",
    "a%zz",
  ],
  ...["a%00b%", "a\xa0", "\xe4", "a|b", "a^b", "a`b", "{a}", "<a>", 'a"'],
].filter((value) => value !== "a,b");

const badAuthorities = [
  ...["u@a", "u:p@a", "@a", "a\\b", "a#b", "a#@b", "a\\@b", "a:80:81", "a:", "a:x", "[::1", "::1", "a%", "a%zz", "a^"],
];

const hosts = [
  ...refused(
    "Host",
    400,
    Object.fromEntries(badHosts.map((value) => [JSON.stringify(value), `GET / HTTP/1.1\r\nHost: ${value}\r\n\r\n`])),
  ),
  ...refused("Host", 400, {
    "three times": `GET / HTTP/1.1\r\n${host}${host}${host}\r\n`,
    "twice, one nominated by Connection": `GET / HTTP/1.1\r\nConnection: host\r\n${host}Host: b\r\n\r\n`,
    "twice, one behind many fields": `GET / HTTP/1.1\r\n${host}${"X: y\r\n".repeat(100)}Host: b\r\n\r\n`,
    "missing, X-Forwarded-Host instead": "GET / HTTP/1.1\r\nX-Forwarded-Host: a\r\n\r\n",
    "missing, with a body": "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhello",
  }),
  ...refused(
    "authority",
    400,
    Object.fromEntries(
      badAuthorities.map((value) => [JSON.stringify(value), `GET http://${value}/ HTTP/1.1\r\n${host}\r\n`]),
    ),
  ),
  ...refused("authority", 400, {
    "an empty one": `GET http:///smuggled HTTP/1.1\r\n${host}\r\n`,
    "a backslash for a slash": `GET http:\\\\a/ HTTP/1.1\r\n${host}\r\n`,
    "another scheme": `GET file:///etc/passwd HTTP/1.1\r\n${host}\r\n`,
    "no scheme": `GET a:80 HTTP/1.1\r\n${host}\r\n`,
    "two Hosts behind a whole URL": `GET http://a/ HTTP/1.1\r\n${host}Host: b\r\n\r\n`,
    "a fragment behind a whole URL": `GET http://a/#b HTTP/1.1\r\n${host}\r\n`,
  }),
  ...passed("authority", {
    "a whole URL wins over Host": [`GET http://b/c HTTP/1.1\r\n${host}\r\n`, "GET /c HTTP/1.1\r\nHost: b\r\n\r\n"],
    "a whole URL with a URL in its query": [
      `GET http://b/?http://c@d/ HTTP/1.1\r\n${host}\r\n`,
      "GET /?http://c@d/ HTTP/1.1\r\nHost: b\r\n\r\n",
    ],
    "a whole URL, Host nominated by Connection": [
      `GET http://b/ HTTP/1.1\r\nConnection: host\r\n${host}\r\n`,
      "GET / HTTP/1.1\r\nHost: b\r\n\r\n",
    ],
    "an escaped octet": "GET / HTTP/1.1\r\nHost: a%2Db\r\n\r\n",
  }),
  ...last("authority", {
    "HTTP/1.0, a whole URL and no Host": ["GET http://b/ HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: b\r\n\r\n"],
  }),
];

export const lineRows: readonly HostileRow[] = [
  ...lineEnds,
  ...folds,
  ...names,
  ...values,
  ...requestLines,
  ...emptyLines,
  ...hosts,
];
