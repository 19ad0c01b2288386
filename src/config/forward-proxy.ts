/** `forwardProxy:` of an outbound listener: which authorities it may be asked for. */
import * as z from "zod";
import { isIpv4, isIpv6, type Parsed } from "./address.ts";
import { type Cidr, parseCidr } from "./cidr.ts";
import { option, type Scalar, scalar } from "./scalars.ts";

/** A name, names below a domain, addresses, or every name. Names are in lower case; only ranges take addresses. */
export type HostPattern =
  | { readonly kind: "name"; readonly name: string }
  | { readonly kind: "below"; readonly suffix: string }
  | { readonly kind: "range"; readonly range: Cidr }
  | { readonly kind: "any" };

/** One entry of `allow:`. */
export interface Destination {
  /** As written. */
  readonly text: string;
  readonly host: HostPattern;
  /** Undefined for every port. */
  readonly port: number | undefined;
}

const remedy = 'write a host and a port such as "api.example.com:443", "*.example.com:443", "10.0.0.0/8:*" or "*:443"';
const hostName = /^(?!-)[a-z0-9_-]+(?:\.[a-z0-9_-]+)*$/;

/** Reads `api.example.com:443`, `*.example.com:443`, `10.0.0.0/8:*`, `[fd00::/8]:443` or `*:443`. */
export function parseDestination(text: string): Parsed<Destination> {
  const match = /^(?:\[([^\]]+)\]|([^:[\]]+)):(\d{1,5}|\*)$/.exec(text);
  if (match === null) return withoutPort(text);
  const [, v6, other, port] = match;
  const number = port === "*" ? undefined : Number(port);
  if (number !== undefined && (number < 1 || number > 65535))
    return { problem: `"${port}" in "${text}" is not a port`, remedy: "write a number from 1 to 65535, or *" };
  const host = v6 === undefined ? parseHost(other!.toLowerCase(), text) : parseRange(v6);
  return "value" in host ? { value: { text, host: host.value, port: number } } : host;
}

function withoutPort(text: string): Parsed<Destination> {
  const problem = `"${text}" is not an authority to allow`;
  if (isIpv6(text.split("/")[0]!)) return { problem, remedy: `write "[${text}]:443"` };
  if (/^[^:[\]\s]+$/.test(text))
    return { problem: `"${text}" has no port`, remedy: `write "${text}:443" or "${text}:*"` };
  return { problem, remedy };
}

function parseHost(host: string, text: string): Parsed<HostPattern> {
  if (host === "*") return { value: { kind: "any" } };
  if (isIpv4(host.split("/")[0]!) || host.includes("/")) return parseRange(host);
  const name = host.replace(/^\*\./, "").replace(/\.$/, "");
  if (!hostName.test(name) || endsInNumber(name))
    return { problem: `"${host}" in "${text}" is neither a name nor an address`, remedy };
  return { value: host.startsWith("*.") ? { kind: "below", suffix: `.${name}` } : { kind: "name", name } };
}

function parseRange(text: string): Parsed<HostPattern> {
  const range = parseCidr(text);
  return "value" in range ? { value: { kind: "range", range: range.value } } : range;
}

/** True for what would be taken for an IPv4 address, whatever it looks like: `127.1`, `0x7f.0.0.1`, `2130706433`. */
export function endsInNumber(host: string): boolean {
  return /(?:^|\.)(?:0x[0-9a-f]*|[0-9]+)$/.test(host);
}

function destination(): Scalar<Destination> {
  return scalar({ title: "authority", example: '"*.example.com:443"', type: "string" }, (value) =>
    parseDestination(String(value)),
  );
}

/** The options of `forwardProxy:`. */
export function forwardProxySchema() {
  return z.strictObject({
    allow: option(
      z.array(destination()).min(1),
      "Authorities that may be asked for, each with its port or `*`: a name, `*.` and a domain for the names below it, an address, a range of addresses, or `*` for every name. Addresses are only taken by addresses and ranges. Loopback, link-local and metadata addresses, and this sidecar's own ports, are refused unless they are named as addresses here.",
      { required: true },
    ),
  });
}
