/**
 * Which protocol a connection speaks, by its first bytes (traffic.md D4; Linkerd detects the same way).
 *
 * The verdict is that of the shortest beginning which decides, so it does not depend on how the bytes were cut
 * into packets. Whatever was read belongs to the connection and is handed on.
 */

export type Detected = "tls" | "http2" | "http1" | "tcp";

/** A request line that is still undecided after so many bytes is one: nothing else begins with a word and a longer one. */
const mostBytes = 1024;
/** Enough of the HTTP/2 preface (RFC 9113 section 3.4) that nothing else can be meant. */
const preface = "PRI * HTTP/2.0";
/** The longest registered method has 17 characters: UPDATEREDIRECTREF. */
const longestMethod = 20;

const [HT, LF, CR, SP] = [0x09, 0x0a, 0x0d, 0x20];

/** The protocol, or undefined while more bytes are needed to tell. */
export function detect(bytes: Uint8Array): Detected | undefined {
  if (bytes.length === 0) return undefined;
  if (bytes[0] === 0x16) return bytes.length < 2 ? undefined : bytes[1] === 3 ? "tls" : "tcp";
  const verdict = detectHttp2(bytes);
  return verdict === "no" ? detectRequestLine(bytes) : verdict;
}

function detectHttp2(bytes: Uint8Array): "http2" | "no" | undefined {
  const known = Math.min(bytes.length, preface.length);
  for (let at = 0; at < known; at++) if (bytes[at] !== preface.charCodeAt(at)) return "no";
  return known === preface.length ? "http2" : undefined;
}

/** `METHOD SP target SP HTTP/digit`; a third word that is anything else, or a line that ends before it, is no HTTP/1. */
function detectRequestLine(bytes: Uint8Array): "http1" | "tcp" | undefined {
  const method = wordEnd(bytes, 0, isMethodByte);
  if (method === bytes.length) return method > longestMethod ? "tcp" : undefined;
  if (method === 0 || method > longestMethod || bytes[method] !== SP) return "tcp";
  const target = wordEnd(bytes, method + 1, isTargetByte);
  if (target === bytes.length) return bytes.length >= mostBytes ? "http1" : undefined;
  if (target >= mostBytes) return "http1";
  if (target === method + 1 || bytes[target] !== SP) return "tcp";
  return detectVersion(bytes, target + 1);
}

function detectVersion(bytes: Uint8Array, from: number): "http1" | "tcp" | undefined {
  const name = "HTTP/";
  for (let at = 0; at < name.length; at++) {
    if (from + at >= bytes.length) return undefined;
    if (bytes[from + at] !== name.charCodeAt(at)) return "tcp";
  }
  const digit = bytes[from + name.length];
  if (digit === undefined) return undefined;
  return digit >= 0x30 && digit <= 0x39 ? "http1" : "tcp";
}

function wordEnd(bytes: Uint8Array, from: number, belongs: (byte: number) => boolean): number {
  let at = from;
  while (at < bytes.length && belongs(bytes[at]!)) at++;
  return at;
}

/** Methods are case-sensitive and those in use are written in capitals, some with a hyphen (M-SEARCH). */
function isMethodByte(byte: number): boolean {
  return (byte >= 0x41 && byte <= 0x5a) || byte === 0x2d;
}

function isTargetByte(byte: number): boolean {
  return byte !== SP && byte !== CR && byte !== LF && byte !== HT && byte !== 0;
}
