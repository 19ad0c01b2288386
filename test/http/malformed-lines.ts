/** Request lines, targets, versions and Host fields that must be refused. */
import { chunked, each, host, line, rows } from "./malformed-row.ts";

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

export const requestLines = rows(400, "bad_request_line", {
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

export const encrypted = rows(400, "tls_on_plain_port", {
  "a TLS client hello": "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
  "a TLS record of another version": "\x16\x02\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
});

export const versions = rows(505, "bad_version", {
  ...each(
    ["0.0", "0.9", "1.2", "1.9", "2.0", "3.0", "9.9"],
    (version) => line(`GET / HTTP/${version}`),
    "version ",
    "",
  ),
  "1.2 with chunked": `POST / HTTP/1.2\r\n${host}${chunked}\r\n0\r\n\r\n`,
});

export const connects = rows(405, "connect_refused", {
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

export const hosts = rows(400, "bad_host", {
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
