/**
 * Text and bytes into each other, one character a byte, by the runtime's own calls for that: `toString("latin1")` and
 * `write(text, "latin1")` come to the same after reading the coding's name, which costs a third of them.
 * Node has these methods too; its types leave them out.
 */
interface Latin1 {
  latin1Slice(from: number, to: number): string;
  latin1Write(text: string, at: number): number;
}

/** The characters of `bytes` from `from` up to `to`. */
export function latin1Slice(bytes: Buffer, from: number, to: number): string {
  return (bytes as Buffer & Latin1).latin1Slice(from, to);
}

/** Writes a text whose characters are all below 0x100; returns the bytes written. */
export function latin1Write(bytes: Buffer, text: string, at: number): number {
  return (bytes as Buffer & Latin1).latin1Write(text, at);
}
