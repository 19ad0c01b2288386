/** IP addresses as bytes on a wire, and as the texts that sockets report. */
import { ipv6Groups, isIpv4 } from "../config/address.ts";

/** The text of 4 or 16 bytes, as `plainAddress` writes it: IPv6 in the short form of RFC 5952, mapped IPv4 as IPv4. */
export function ipText(bytes: Uint8Array): string {
  if (bytes.length === 4) return bytes.join(".");
  const groups = Array.from({ length: 8 }, (_, at) => bytes[2 * at]! * 256 + bytes[2 * at + 1]!);
  const mapped = groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff;
  if (mapped) return bytes.subarray(12).join(".");
  // The URL parser knows how to shorten an IPv6 address.
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]`).hostname.slice(1, -1);
}

/** Four bytes of an IPv4 address, sixteen of an IPv6 one without a zone, or undefined for anything else. */
export function ipBytes(text: string): Uint8Array | undefined {
  if (isIpv4(text)) return Uint8Array.from(text.split("."), Number);
  const groups = ipv6Groups(text.replace(/%.*$/, ""));
  return groups && Uint8Array.from(groups.flatMap((group) => [group >> 8, group & 255]));
}

/** An IPv4 address as the sixteen bytes of `::ffff:a.b.c.d`; an IPv6 one as it is. */
export function mappedBytes(bytes: Uint8Array): Uint8Array {
  if (bytes.length === 16) return bytes;
  return Uint8Array.of(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, ...bytes);
}
