/** Snappy's block format, without compressing: one literal (https://github.com/google/snappy/blob/main/format_description.txt). */

const literalOf4Bytes = 63 << 2;

/** What stands before `length` bytes that are sent as they are. The length may be up to 2^32. */
export function snappyPrefix(length: number): Uint8Array {
  const prefix: number[] = [];
  for (let rest = length; ; rest = Math.floor(rest / 128)) {
    prefix.push(rest >= 128 ? (rest % 128) | 128 : rest);
    if (rest < 128) break;
  }
  if (length === 0) return Uint8Array.from(prefix);
  const last = length - 1;
  return Uint8Array.from([
    ...prefix,
    literalOf4Bytes,
    last & 255,
    (last >>> 8) & 255,
    (last >>> 16) & 255,
    last >>> 24,
  ]);
}
