/** Attacks by what concerns one hop: Connection's nominations, Expect, Upgrade, CONNECT, and what is sent behind them. */
import { chunked, get, type HostileRow, host, last, passed, post, refused } from "./hostile-row.ts";

const nominations = passed("Connection", {
  "Host stays": [get("Connection: Host\r\n"), get("")],
  "Content-Length stays": [
    post("Connection: Content-Length\r\nContent-Length: 5\r\n", "hello"),
    post("Content-Length: 5\r\n", "hello"),
  ],
  "Transfer-Encoding stays": [
    post(`Connection: keep-alive, transfer-encoding\r\n${chunked}`, "5\r\nhello\r\n0\r\n\r\n"),
    post(chunked, "5\r\nhello\r\n0\r\n\r\n"),
  ],
  "a name in several lines": [get("Connection: a\r\nA: 1\r\nB: 2\r\nConnection: b\r\nC: 3\r\n"), get("C: 3\r\n")],
  "a name in quotes names nothing": [get('Connection: "a"\r\nA: 1\r\n'), get("A: 1\r\n")],
  "a name with a space in it names nothing": [get("Connection: a b\r\nA: 1\r\nB: 2\r\n"), get("A: 1\r\nB: 2\r\n")],
  "a name with semicolons names nothing": [get("Connection: a;q=1\r\nA: 1\r\n"), get("A: 1\r\n")],
  "what we add is added all the same": [
    get("Connection: via, x-forwarded-for, x-forwarded-proto, x-request-id\r\n"),
    get(""),
  ],
  "199 names": [
    get(`Connection: ${Array.from({ length: 199 }, (_, i) => `n${i}`).join(",")}\r\nN198: 1\r\nN199: 2\r\n`),
    get("N199: 2\r\n"),
  ],
  "Keep-Alive and Proxy-Connection end here": [
    get("Keep-Alive: timeout=5, max=1000\r\nProxy-Connection: keep-alive\r\n"),
    get(""),
  ],
  "TE ends here": [get("TE: trailers\r\nConnection: TE\r\n"), get("")],
});

const crowds = refused("Connection", 431, {
  "200 names": get(`Connection: ${Array.from({ length: 200 }, (_, i) => `n${i}`).join(",")}\r\n`),
  "one name 30,000 times": get(`Connection: ${"a,".repeat(30_000)}a\r\n`),
  "nothing 60,000 times": get(`Connection: ${",".repeat(60_000)}\r\n`),
  "many names in many lines": get("Connection: a, b, c\r\n".repeat(70)),
});

const closing = last("Connection", {
  "close in odd case": [get("Connection: cLoSe\r\n"), get("")],
  "close among others": [get("Connection: a,close,b\r\nA: 1\r\n"), get("")],
  "close and keep-alive": [get("Connection: keep-alive, close\r\n"), get("")],
  "close in a second line": [get("Connection: keep-alive\r\nConnection: close\r\n"), get("")],
  "HTTP/1.0 without keep-alive": [`GET / HTTP/1.0\r\n${host}\r\n`, get("")],
  "HTTP/1.0 with both": [`GET / HTTP/1.0\r\n${host}Connection: keep-alive, close\r\n\r\n`, get("")],
});

const expectations = [
  ...refused("Expect", 417, {
    "another word": post("Expect: 200-ok\r\nContent-Length: 5\r\n", "hello"),
    "a word before it": post("Expect: y 100-continue\r\nContent-Length: 5\r\n", "hello"),
    "a list": post("Expect: 100-continue, 100-continue\r\nContent-Length: 5\r\n", "hello"),
    "a parameter": post("Expect: 100-continue;x=y\r\nContent-Length: 5\r\n", "hello"),
    quotes: post('Expect: "100-continue"\r\nContent-Length: 5\r\n', "hello"),
    "a second line of another word": post("Expect: 100-continue\r\nExpect: x\r\nContent-Length: 5\r\n", "hello"),
    "with GET and no body": get("Expect: x\r\n"),
  }),
  ...refused("Expect", 400, {
    "a tab in the name": post("Expect\t: 100-continue\r\nContent-Length: 5\r\n", "hello"),
    "VT before the value": post("Expect: \x0b100-continue\r\nContent-Length: 5\r\n", "hello"),
  }),
  ...passed("Expect", {
    "in odd case": post("eXPECT: 100-Continue\r\nContent-Length: 5\r\n", "hello"),
    "with chunks": post(`Expect: 100-continue\r\n${chunked}`, "5\r\nhello\r\n0\r\n\r\n"),
    "with length 0": post("Expect: 100-continue\r\nContent-Length: 0\r\n"),
    "with GET": get("Expect: 100-continue\r\n"),
  }),
];

const upgrades = passed("Upgrade", {
  "to another protocol, with a body": [
    post("Connection: Upgrade\r\nUpgrade: x\r\nContent-Length: 5\r\n", "hello"),
    post("Content-Length: 5\r\n", "hello"),
  ],
  "to h2c with its settings": [
    get("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n"),
    get(""),
  ],
  "to h2c, its settings not nominated": [
    get("Upgrade: h2c\r\nHTTP2-Settings: AAM\r\n"),
    get("HTTP2-Settings: AAM\r\n"),
  ],
  "to WebSocket, answered as if it were not there": get("Connection: Upgrade\r\nUpgrade: websocket\r\n"),
  "to WebSocket, not nominated": [get("Upgrade: websocket\r\n"), get("")],
  "to WebSocket, with a body": [
    post("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n", "hello"),
    post("Content-Length: 5\r\n", "hello"),
  ],
  "to WebSocket, h2c and TLS": [
    get("Connection: Upgrade\r\nUpgrade: h2c, TLS/1.3, websocket, HTTP/2.0\r\n"),
    get("Connection: Upgrade\r\nUpgrade: websocket\r\n"),
  ],
  "to TLS": [
    `OPTIONS * HTTP/1.1\r\n${host}Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n\r\n`,
    `OPTIONS * HTTP/1.1\r\n${host}\r\n`,
  ],
});

const connects = refused("CONNECT", 405, {
  "with a request behind it": "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n",
  "with a length": "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\nContent-Length: 5\r\n\r\nhello",
  "with chunks": `CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n${chunked}\r\n0\r\n\r\n`,
  "to a path": `CONNECT / HTTP/1.1\r\n${host}\r\n`,
});

/** Good requests, then one that must be refused, then one that nobody may see. */
const behind: HostileRow[] = [
  ["a bad field", get("X : y\r\n"), 400],
  ["a bad length", post("Content-Length: x\r\n", "hello"), 400],
  ["a bad coding", post("Transfer-Encoding: x\r\n", "hello"), 501],
  ["a bad chunk", post(chunked, "x\r\n"), 400],
  ["a bad version", `GET / HTTP/3.0\r\n${host}\r\n`, 505],
  ["CONNECT", "CONNECT a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n", 405],
  ["a bad expectation", get("Expect: x\r\n"), 417],
  ["too many fields", get("X: y\r\n".repeat(250)), 431],
].map(([name, bytes, status]) => ({
  family: "pipelined behind",
  name: String(name),
  bytes: `${get("", "/1")}${post("Content-Length: 5\r\n", "hello", "/2")}${bytes}GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n`,
  forwarded: [get("", "/1"), post("Content-Length: 5\r\n", "hello", "/2")],
  statuses: [200, 200, Number(status)],
  closed: true,
}));

export const hopRows: readonly HostileRow[] = [
  ...nominations,
  ...crowds,
  ...closing,
  ...expectations,
  ...upgrades,
  ...connects,
  ...behind,
];
