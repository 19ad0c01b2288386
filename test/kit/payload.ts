/** Bodies of any size whose every byte depends on its place, so that a lost, doubled or swapped piece changes the hash. */
import type { Wire } from "./wire.ts";

/** A prime, so that the pattern falls differently on every power of two. */
const period = 65_521;
const pattern = Buffer.alloc(period + 1024 * 1024);
for (let at = 0, state = 1; at < pattern.length; at++) {
  if (at < period) state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
  pattern[at] = at < period ? state >>> 24 : pattern[at - period]!;
}

const pieceBytes = 256 * 1024;

/** The payload's pieces, in order. */
export function* pieces(bytes: number): Generator<Buffer> {
  for (let at = 0; at < bytes; at += pieceBytes) {
    const from = at % period;
    yield pattern.subarray(from, from + Math.min(pieceBytes, bytes - at));
  }
}

export function sha256Of(bytes: number): string {
  const hasher = new Bun.CryptoHasher("sha256");
  for (const piece of pieces(bytes)) hasher.update(piece);
  return hasher.digest("hex");
}

export type Framing = "length" | "chunked" | "close";

/** The field that announces a payload in that framing, with its CRLF. */
export function framingField(framing: Framing, bytes: number): string {
  if (framing === "length") return `Content-Length: ${bytes}\r\n`;
  return framing === "chunked" ? "Transfer-Encoding: chunked\r\n" : "";
}

/** Sends a payload in that framing. The end of the connection, for `close`, is up to the caller. */
export async function sendPayload(wire: Wire, bytes: number, framing: Framing): Promise<void> {
  for (const piece of pieces(bytes)) {
    if (framing === "chunked") await wire.send(`${piece.length.toString(16)}\r\n`);
    await wire.send(piece);
    if (framing === "chunked") await wire.send("\r\n");
  }
  if (framing === "chunked") await wire.send("0\r\n\r\n");
}
