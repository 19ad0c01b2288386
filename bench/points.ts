/**
 * Where the proxies are compared: one base point, and points that differ from it in one factor each.
 */
import type { Switches } from "./template.ts";

/** Ratio of our CPU to another's: what design section 5 aims at, and what it must not exceed. */
export interface Bar {
  aim: number;
  bar: number;
}

export interface Point {
  /** Also the argument of `--point`. */
  name: string;
  /** What differs from the base, in words. */
  doc: string;
  connections: number;
  /** The requests in turn, as they go on the wire. */
  requests(): Buffer[];
  /** Length of the answers. */
  bodyBytes: number;
  /** Measured without `--all`. */
  usual: boolean;
  /** What of the configs is used, besides that of the command. */
  switches: Switches;
  /** By the name of the other contender. */
  bars: Readonly<Record<string, Bar>>;
  /** The same figure the other way round: what a second of CPU does. */
  perCpuSecond?: { doc: string; of(us: number): string };
}

const DISTINCT_LINES = 1000;

function smallHead(path = "/hello"): Buffer[] {
  return [Buffer.from(`GET ${path} HTTP/1.1\r\nHost: bench.local\r\n\r\n`)];
}

/** Sixteen fields as a browser sends them; request line, referer and cookie differ from one request to the next. */
function browserHead(i: number): Buffer {
  const path =
    i % 2 === 0
      ? `/api/v1/orders/${1000 + i}?fields=id,total&page=${i % 7}`
      : `/shop/items/${i}/details?ref=list-${i % 13}`;
  const lines = [
    `GET ${path} HTTP/1.1`,
    "Host: bench.local",
    "Connection: keep-alive",
    'sec-ch-ua: "Chromium";v="138", "Not=A?Brand";v="24"',
    "sec-ch-ua-mobile: ?0",
    'sec-ch-ua-platform: "Linux"',
    "Upgrade-Insecure-Requests: 1",
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/138.0.0.0 Safari/537.36",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Sec-Fetch-Site: same-origin",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-User: ?1",
    "Sec-Fetch-Dest: document",
    `Referer: http://bench.local/shop/list?page=${i % 41}`,
    "Accept-Encoding: gzip, deflate, br, zstd",
    "Accept-Language: en-GB,en;q=0.9,de;q=0.8",
    `Cookie: session=${(i * 2654435761 + 40503).toString(16).padStart(16, "0")}; theme=dark; seen=${i}`,
  ];
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`);
}

const base: Point = {
  name: "base",
  doc: "small head (one field), 64-byte answer, 32 connections",
  connections: 32,
  requests: () => smallHead(),
  bodyBytes: 64,
  usual: true,
  switches: {},
  bars: {},
};

/** A point that differs from the base; the base's bars are not its own. */
function vary(name: string, doc: string, difference: Partial<Point>): Point {
  return { ...base, usual: false, ...difference, name, doc };
}

/** Design section 5 against proxies that are not written in C, wherever it does not say more. */
const slower = { envoy: { aim: 0.4, bar: 0.6 }, "http-proxy": { aim: 0.2, bar: 0.3 } };

function against(both: Bar): Readonly<Record<string, Bar>> {
  return { haproxy: both, nginx: both, ...slower };
}

const mebibytes = {
  doc: "MiB per CPU second",
  of: (us: number) => (1e6 / us).toFixed(0),
};

export const points: readonly Point[] = [
  { ...base, bars: against({ aim: 1, bar: 1.15 }) },
  vary("browser-head", `browser-like head: 16 fields, ${DISTINCT_LINES} distinct request lines`, {
    requests: () => Array.from({ length: DISTINCT_LINES }, (_, i) => browserHead(i)),
    usual: true,
    bars: against({ aim: 1, bar: 1.3 }),
  }),
  vary("same-fields", "the others also write X-Forwarded-Proto, Via and X-Request-Id, as Outrigger always does", {
    switches: { sameFields: 1 },
  }),
  vary("body-4k", "4 KiB answer", { requests: () => smallHead("/_body/4096"), bodyBytes: 4096 }),
  vary("body-1m", "1 MiB answer", {
    requests: () => smallHead("/_body/1048576"),
    bodyBytes: 1 << 20,
    perCpuSecond: mebibytes,
  }),
  vary("connections-1", "1 connection", { connections: 1 }),
  vary("connections-256", "256 connections", { connections: 256 }),
  vary("connections-1000", "1,000 connections", { connections: 1000 }),
  vary("filters-3", "3 filters, each setting a field of the request", { switches: { filters: 3 } }),
  vary("filters-10", "10 filters, each setting a field of the request", { switches: { filters: 10 } }),
  vary("routes-10", "10 more routes by prefix, the last one taken", {
    requests: () => smallHead("/route-10/hello"),
    switches: { routes: 10 },
  }),
  vary("routes-1000", "1,000 more routes by prefix, the last one taken", {
    requests: () => smallHead("/route-1000/hello"),
    switches: { routes: 1000 },
  }),
];

/** HTTP/2, by prior knowledge on both sides. The load cannot vary fields from one request to the next, only paths. */
export const http2Points: readonly Point[] = [
  {
    ...base,
    doc: "small head, 64-byte answer, 32 connections with one stream each",
    bars: { envoy: { aim: 1, bar: 1 }, "node-http2": { aim: 0.8, bar: 0.8 } },
  },
  vary("browser-head", `browser-like head: 16 fields, ${DISTINCT_LINES} distinct paths`, {
    requests: () => Array.from({ length: DISTINCT_LINES }, (_, i) => browserHead(i)),
    usual: true,
  }),
  vary("streams-10", "10 streams on each of the 32 connections", { switches: { streams: 10 } }),
  vary("body-4k", "4 KiB answer", { requests: () => smallHead("/_body/4096"), bodyBytes: 4096 }),
  vary("body-1m", "1 MiB answer", {
    requests: () => smallHead("/_body/1048576"),
    bodyBytes: 1 << 20,
    perCpuSecond: mebibytes,
  }),
  vary("connections-256", "256 connections", { connections: 256 }),
];

/** TLS 1.3 towards the client, plain towards the app. */
export const tlsPoints: readonly Point[] = [
  base,
  vary("browser-head", `browser-like head: 16 fields, ${DISTINCT_LINES} distinct request lines`, {
    requests: () => Array.from({ length: DISTINCT_LINES }, (_, i) => browserHead(i)),
  }),
  vary("handshakes", "a connection for each request: TCP, full TLS 1.3 handshake (P-256 key), one request", {
    usual: true,
    switches: { handshakes: 1 },
    perCpuSecond: { doc: "handshakes per CPU second", of: (us) => (1e6 / us).toFixed(0) },
  }),
  vary("body-1m", "1 MiB answer", {
    requests: () => smallHead("/_body/1048576"),
    bodyBytes: 1 << 20,
    perCpuSecond: mebibytes,
  }),
];

/** The payload of each frame; `bodyBytes` says how long it is. */
export const websocketPoints: readonly Point[] = [
  { ...base, doc: "64-byte message echoed, 32 connections" },
  vary("message-4k", "4 KiB message", { bodyBytes: 4096 }),
  vary("connections-256", "256 connections", { connections: 256 }),
];

/** A request and an answer of exactly 64 bytes each, head included. */
const PING = Buffer.from("GET /_64 HTTP/1.1\r\nHost: bench.local\r\nX-Ping: 0123456789abcd\r\n\r\n");

export const tcpPoints: readonly Point[] = [
  { ...base, doc: "64 bytes there, 64 bytes back, 32 connections", requests: () => [PING], bodyBytes: 25 },
  vary("bulk", "1 MiB down, on 32 connections", {
    requests: () => smallHead("/_body/1048576"),
    bodyBytes: 1 << 20,
    usual: true,
    perCpuSecond: mebibytes,
  }),
  vary("connections-256", "256 connections", { connections: 256, requests: () => [PING], bodyBytes: 25 }),
];
