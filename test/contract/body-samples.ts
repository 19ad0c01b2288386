/** Bodies framed and cut in every way, and ways to change them. */
import type { Filter } from "../../src/contracts.ts";
import { bytesOf, ok } from "../kit/raw.ts";

export type Transform = NonNullable<Filter["requestBody"]>;

const words = ["one ", "two ", "three ", "four"];
export const text = words.join("");
const chunks = `${words.map((word) => `${word.length.toString(16)}\r\n${word}\r\n`).join("")}0\r\nX-Sum: 1\r\n\r\n`;

/** Requests with that text as their body, in packets. */
export const requests: Record<string, string[]> = {
  "a length, whole": [`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${text.length}\r\n\r\n${text}`],
  "a length, in pieces": [`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${text.length}\r\n\r\n`, ...text],
  "chunked, whole": [`POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`],
  "chunked, in pieces": ["POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", ...chunks],
};

/** Answers with that text as their body, in packets. */
export const answers: Record<string, string[]> = {
  "a length, whole": [ok(text)],
  "a length, in pieces": [`HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\n\r\n`, ...text],
  "chunked, whole": [`HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n${chunks}`],
  "chunked, in pieces": ["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", ...chunks],
  "until the end, whole": [`HTTP/1.1 200 OK\r\n\r\n${text}`],
  "until the end, in pieces": ["HTTP/1.1 200 OK\r\n\r\n", ...text],
};

export function upper(chunk: Uint8Array): Uint8Array {
  return bytesOf(Buffer.from(chunk).toString("latin1").toUpperCase());
}

/** The same, with a promise. */
export function later(transform: Transform): Transform {
  return async (chunk, last, x) => {
    await Bun.sleep(0);
    return transform(chunk, last, x);
  };
}
