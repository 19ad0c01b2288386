/**
 * Addresses that a forward proxy leads to only when they are named as addresses: through them, whoever can make an app
 * ask for a URL of his own (SSRF) would reach this pod's inside, or the credentials that clouds hand out by link-local
 * address. A name that resolves to one is no better, so the address is looked at after the connect.
 */
import { type Cidr, inRanges, parseCidr } from "../config/cidr.ts";

const ranges: readonly Cidr[] = [
  "0.0.0.0/8", // "this host": Linux connects to loopback
  "127.0.0.0/8",
  "169.254.0.0/16", // link-local, and the metadata services of AWS, Google, Azure and others
  "::/128",
  "::1/128",
  "fe80::/10",
  "fd00:ec2::254/128", // AWS metadata over IPv6
  "100.100.100.200/32", // Alibaba metadata
  "168.63.129.16/32", // Azure's host services
  "192.0.0.192/32", // Oracle metadata
  "64:ff9b::7f00:0/104", // the same through NAT64 (RFC 6052)
  "64:ff9b::a9fe:0/112",
].map(range);

function range(text: string): Cidr {
  const parsed = parseCidr(text);
  if ("problem" in parsed) throw new TypeError(parsed.problem);
  return parsed.value;
}

/** True for an address that must be named. */
export function isGuarded(address: string): boolean {
  return inRanges(address, ranges);
}

/** True for a range that lies within the guarded ones: whoever wrote it meant them. */
export function isWithinGuarded(given: Cidr): boolean {
  return ranges.some((one) => given.bits >= one.bits && (given.base ^ one.base) >> BigInt(128 - one.bits) === 0n);
}
