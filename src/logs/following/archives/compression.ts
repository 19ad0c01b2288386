/** Compressed files, told by their first bytes: names may say anything. */

export type Compression = "gzip" | "zstd" | "bzip2" | "xz";

/** Those that are unpacked here. */
export const readableCompressions: readonly Compression[] = ["gzip", "zstd"];

const signatures: readonly (readonly [Compression, Buffer])[] = [
  ["gzip", Buffer.of(0x1f, 0x8b, 0x08)],
  ["zstd", Buffer.of(0x28, 0xb5, 0x2f, 0xfd)],
  ["xz", Buffer.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00)],
];
/** bzip2 begins with text and a digit for its block size; its first block with these, the digits of pi. */
const bzip2 = /^BZh[1-9]1AY&SY/;

/** So many first bytes are enough to tell. */
export const signatureBytes = 10;

export function compressionOf(head: Uint8Array): Compression | undefined {
  const found = signatures.find(([, signature]) => signature.every((byte, at) => head[at] === byte));
  if (found !== undefined) return found[0];
  const text = Buffer.from(head.buffer, head.byteOffset, Math.min(head.length, signatureBytes)).toString("latin1");
  return bzip2.test(text) ? "bzip2" : undefined;
}

const suffix = /\.(?:gz|zst|zstd|bz2|xz)$/i;

/** The name a file had before it was compressed; undefined when its name does not say that it was. */
export function plainName(name: string): string | undefined {
  return suffix.test(name) ? name.replace(suffix, "") : undefined;
}
