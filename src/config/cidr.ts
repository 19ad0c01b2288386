/** Ranges of addresses, such as `10.0.0.0/8`: which peers are trusted. */
import { ipv6Groups, isIpv4, type Parsed } from "./address.ts";

/** A range of addresses. */
export interface Cidr {
  /** As written, with its length: `10.0.0.0/8`. */
  readonly text: string;
  /** The lowest address as one 128-bit number; IPv4 as `::ffff:a.b.c.d`, which is how dual-stack sockets report it. */
  readonly base: bigint;
  /** How many of the 128 bits must be equal. */
  readonly bits: number;
}

const remedy = "write an address and a length such as 10.0.0.0/8, or one address such as 10.1.2.3";

function toNumber(text: string): bigint | undefined {
  const groups = ipv6Groups(isIpv4(text) ? `::ffff:${text}` : text);
  return groups?.reduce((sum, group) => (sum << 16n) | BigInt(group), 0n);
}

function toText(value: bigint): string {
  const groups = Array.from({ length: 8 }, (_, at) => Number((value >> BigInt(112 - 16 * at)) & 0xffffn));
  if (value >> 32n === 0xffffn)
    return groups
      .slice(6)
      .flatMap((group) => [group >> 8, group & 255])
      .join(".");
  // The URL parser knows how to shorten an IPv6 address (RFC 5952).
  return new URL(`http://[${groups.map((group) => group.toString(16)).join(":")}]`).hostname.slice(1, -1);
}

/** Reads `10.0.0.0/8`, `fd00::/8` or a single address. */
export function parseCidr(text: string): Parsed<Cidr> {
  const [address = "", length, more] = text.split("/");
  const width = isIpv4(address) ? 32 : 128;
  const value = toNumber(address);
  const bits = length === undefined ? width : /^\d{1,3}$/.test(length) ? Number(length) : -1;
  if (value === undefined || more !== undefined || bits < 0 || bits > width) {
    return { problem: `"${text}" is not a range of addresses`, remedy };
  }
  const free = BigInt(width - bits);
  const base = (value >> free) << free;
  if (base === value) return { value: { text: `${address}/${bits}`, base, bits: bits + 128 - width } };
  return { problem: `"${text}" has bits set behind its length`, remedy: `write ${toText(base)}/${bits}` };
}

/** True when the address, as a socket reports it, is in one of the ranges. */
export function inRanges(address: string, ranges: readonly Cidr[]): boolean {
  if (ranges.length === 0) return false;
  const value = toNumber(address.replace(/%.*$/, ""));
  return value !== undefined && ranges.some((range) => (value ^ range.base) >> BigInt(128 - range.bits) === 0n);
}
