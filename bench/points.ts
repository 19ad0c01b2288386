/**
 * Where the proxies are compared: one base point, and points that differ from it in one factor each.
 */

export interface Point {
  /** Also the argument of `--point`. */
  name: string;
  /** What differs from the base, in words. */
  doc: string;
  connections: number;
  /** The requests in turn, as they go on the wire. */
  requests(): Buffer[];
  /** The path whose answer is checked against `bodyBytes` before anything is timed. */
  bodyBytes: number;
  /** Measured without `--all`. */
  usual: boolean;
  /** Config lines marked `# only: same-fields` are used. */
  sameFields: boolean;
  /** Ratios to HAProxy and nginx as in design section 5, where it names them. */
  aim?: number;
  bar?: number;
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
  sameFields: false,
  aim: 1,
  bar: 1.15,
};

/** A point that differs from the base; the base's aims are not its own. */
function vary(name: string, doc: string, difference: Partial<Point>): Point {
  const { aim: _aim, bar: _bar, ...rest } = base;
  return { ...rest, usual: false, ...difference, name, doc };
}

export const points: readonly Point[] = [
  base,
  vary("browser-head", `browser-like head: 16 fields, ${DISTINCT_LINES} distinct request lines`, {
    requests: () => Array.from({ length: DISTINCT_LINES }, (_, i) => browserHead(i)),
    usual: true,
    aim: 1,
    bar: 1.3,
  }),
  vary("same-fields", "the others also write X-Forwarded-Proto, Via and X-Request-Id, as Outrigger always does", {
    sameFields: true,
  }),
  vary("body-4k", "4 KiB answer", { requests: () => smallHead("/_body/4096"), bodyBytes: 4096 }),
  vary("body-1m", "1 MiB answer", { requests: () => smallHead("/_body/1048576"), bodyBytes: 1 << 20 }),
  vary("connections-1", "1 connection", { connections: 1 }),
  vary("connections-256", "256 connections", { connections: 256 }),
  vary("connections-1000", "1,000 connections", { connections: 1000 }),
];
