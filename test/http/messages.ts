/** Requests made at random, good and bad ones, and answers to them. */

import type { Seeded } from "../kit/random.ts";
import { bytesOf } from "../kit/raw.ts";
import type { StrictMessage } from "../kit/strict.ts";
import { malformed } from "./malformed.ts";

export interface RandomRequest {
  readonly bytes: string;
  readonly method: string;
}

const names = [
  "X",
  "accept",
  "User-Agent",
  "COOKIE",
  "X-Forwarded-For",
  "x-request-id",
  "Via",
  "TE",
  "Keep-Alive",
  "x_y",
  "Content-Type",
];
const values = ["", "y", " y ", "\ty\t", "a, b", "text/html; q=0.5", "\x80\xff\xa0", 'W/"1"', "a:b", "gzip"];
const hosts = ["a", "a.example:8080", "[::1]:80", "127.0.0.1"];

function anyBytes(random: Seeded, count: number): string {
  let text = "";
  for (let i = 0; i < count; i++)
    text += random.chance(0.1)
      ? random.pick(["\r\n", "0\r\n\r\n", "\n", "\r", "\0"])
      : String.fromCharCode(random.whole(256));
  return text;
}

function size(random: Seeded): number {
  return random.pick([0, 1, 2, 15, 16, 17, 100, 255, 256, random.whole(3000)]);
}

function fields(random: Seeded): string {
  let text = "";
  for (let i = random.whole(6); i > 0; i--) text += `${random.pick(names)}:${random.pick(values)}\r\n`;
  if (random.chance(0.05))
    text += `Connection: ${random.pick(["x", "keep-alive", "X, via", "content-length", "host"])}\r\n`;
  if (random.chance(0.03)) text += `Expect: 100-continue\r\n`;
  return text;
}

function chunked(random: Seeded): string {
  let text = "";
  for (let i = random.whole(5); i > 0; i--) {
    const chunk = anyBytes(random, 1 + size(random));
    const hex = chunk.length.toString(16);
    const extension = random.pick(["", "", "", ";a", ';a="b;c"', ";"]);
    text += `${random.pick(["", "", "00"])}${random.chance(0.5) ? hex : hex.toUpperCase()}${extension}\r\n${chunk}\r\n`;
  }
  return `${text}0${random.pick(["", ";x"])}\r\n${random.pick(["", "", "X-Sum: 1\r\n", "A:\r\nB: \xe9\r\n"])}\r\n`;
}

function body(random: Seeded): string {
  if (random.chance(0.5)) return `Transfer-Encoding: ${random.pick(["chunked", "Chunked"])}\r\n\r\n${chunked(random)}`;
  const content = anyBytes(random, size(random));
  return `Content-Length: ${content.length}\r\n\r\n${content}`;
}

/** A request that must go through. */
export function goodRequest(
  random: Seeded,
  methods = ["GET", "POST", "HEAD", "PUT", "PATCH", "DELETE"],
): RandomRequest {
  const method = random.pick(methods);
  const version = random.chance(0.05) ? "1.0" : "1.1";
  const target = random.pick([
    "/",
    "/a?b=c",
    "//x",
    `/${"p".repeat(random.whole(300))}`,
    "http://b.example/c",
    "/%00|{}",
  ]);
  const host = `Host: ${random.pick(hosts)}\r\n`;
  const list = [host, fields(random)];
  if (random.chance(0.3)) list.reverse();
  const closes =
    version === "1.0"
      ? random.pick(["", "Connection: Keep-Alive\r\n"])
      : random.chance(0.03)
        ? "Connection: close\r\n"
        : "";
  const head = `${method} ${target} HTTP/${version}\r\n${list.join("")}${closes}`;
  const hasBody = method !== "GET" && method !== "HEAD" && random.chance(0.8);
  const rest = !hasBody ? "\r\n" : version === "1.0" ? "Content-Length: 5\r\n\r\nhello" : body(random);
  return { bytes: head + rest, method };
}

const noise = [
  "\r",
  "\n",
  "\0",
  " ",
  ":",
  "\t",
  "0",
  "5",
  ",",
  ";",
  "\r\n",
  "\x80",
  "Content-Length: 5\r\n",
  "Transfer-Encoding: chunked\r\n",
];

/** A request with one to three places changed: mostly bad, sometimes still good. */
export function mutated(random: Seeded): RandomRequest {
  let { bytes } = goodRequest(random, ["GET", "POST", "PUT"]);
  for (let i = 1 + random.whole(3); i > 0; i--) {
    const at = random.whole(Math.min(bytes.length, 400));
    const drop = random.pick([0, 0, 1, 1, 2, 10]);
    const insert = random.chance(0.7) ? random.pick(noise) : String.fromCharCode(random.whole(256));
    bytes = bytes.slice(0, at) + insert + bytes.slice(at + drop);
  }
  return { bytes, method: "GET" };
}

const shortMalformed = malformed.filter(({ bytes }) => bytes.length < 3000);

/** One of the table of malformed requests. */
export function badRequest(random: Seeded): RandomRequest {
  return { bytes: random.pick(shortMalformed).bytes, method: "GET" };
}

export interface ScriptedAnswer {
  readonly bytes: Buffer;
  /** FIN follows. */
  readonly ends: boolean;
}

/** The answer to a request, always the same for the same request. */
export function answerTo(request: StrictMessage): ScriptedAnswer {
  const key = request.line.length * 7 + request.fields.length * 3 + request.body.length;
  const content = `${request.body.length}:${request.line.slice(0, 20)}`;
  const length = `Content-Length: ${content.length}\r\n`;
  const plain = `HTTP/1.1 200 OK\r\n${length}X: \xe9\r\n\r\n`;
  const kinds: [bytes: string, ends?: boolean][] = [
    [plain + content],
    [`HTTP/1.1 404 Not Found\r\n${length}Set-Cookie: a\r\nSet-Cookie: b\r\n\r\n${content}`],
    [
      `HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${content.length.toString(16)};x=y\r\n${content}\r\n0\r\nX-Sum: 1\r\n\r\n`,
    ],
    [`HTTP/1.1 200 OK\r\n\r\n${content}`, true],
    ["HTTP/1.1 204 No Content\r\nX: y\r\n\r\n"],
    ["HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\n\r\n"],
    [`HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${plain}${content}`],
    [`HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n${content}`],
    [`HTTP/1.0 200 OK\r\n${length}Connection: keep-alive\r\n\r\n${content}`],
    [`HTTP/1.1 200 OK\r\n${length}Connection: close, x\r\nX: y\r\nKeep-Alive: timeout=5\r\n\r\n${content}`],
    ["HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"],
    [`HTTP/1.1 200 OK\nContent-Length: 5\n\n`],
    ["", true],
  ];
  const [bytes, ends = false] = kinds[key % kinds.length]!;
  // An answer to HEAD has no body, and one that ends with the connection may not be mistaken for it.
  if (request.line.startsWith("HEAD ")) return { bytes: bytesOf(plain), ends: false };
  return { bytes: bytesOf(bytes), ends };
}
