/** Bytes of lines as text. What is asked of a whole block is asked once, not for each of its lines. */
import { isAscii, isUtf8 } from "node:buffer";

const nothing = Buffer.alloc(0);

/** The same memory as a `Buffer`. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
}

/** What is no UTF-8 becomes U+FFFD; the bytes themselves are kept beside it. */
export function decoded(memory: Buffer, start: number, end: number): string {
  return memory.toString(isAllAscii(memory) ? "latin1" : "utf8", start, end);
}

let lastMemory: Buffer = nothing;
let lastIsAscii = true;

/** Decoding Latin-1 is faster by half. */
function isAllAscii(memory: Buffer): boolean {
  if (memory !== lastMemory) {
    lastMemory = memory;
    lastIsAscii = isAscii(memory);
  }
  return lastIsAscii;
}

let lastChecked: Buffer = nothing;
let lastIsUtf8 = true;

/** True when nothing in the memory becomes U+FFFD. */
export function isAllUtf8(memory: Buffer): boolean {
  if (memory !== lastChecked) {
    lastChecked = memory;
    lastIsUtf8 = isAllAscii(memory) || isUtf8(memory);
  }
  return lastIsUtf8;
}

/** A line as text. */
export function textOf(line: Uint8Array): string {
  return asBuffer(line).toString(isAscii(line) ? "latin1" : "utf8");
}
