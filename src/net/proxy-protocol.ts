/**
 * The PROXY protocol, versions 1 and 2: a line or block in front of a connection that says who its client is.
 * Source: "The PROXY protocol, versions 1 & 2", Willy Tarreau, HAProxy's doc/proxy-protocol.txt, sections 2.1 to 2.2.5.
 *
 * Strict: what is not exactly a header is refused, because a guess would let a client choose its own address.
 */
import { crc32c } from "./crc32c.ts";
import { ipBytes, ipText, mappedBytes } from "./ip-bytes.ts";
import { Malformed } from "./malformed.ts";

/** One end of the connection a header tells of. */
export interface Endpoint {
  readonly address: string;
  readonly port: number;
}

export interface ProxyHeader {
  readonly version: 1 | 2;
  /** Bytes the header takes; what follows is the connection's own. */
  readonly length: number;
  /** Undefined where the connection's real ends stand: LOCAL, UNKNOWN, UNSPEC, UNIX. */
  readonly ends: { readonly source: Endpoint; readonly destination: Endpoint } | undefined;
}

/** The longest line of version 1, its CRLF included (section 2.1). */
const longestLine = 107;
/** The fixed part of version 2. */
const fixedBytes = 16;
/** The specification allows 64 KiB of addresses and TLVs; a client certificate's fields fit in far less. */
const mostBytes = 4096;

const signature = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const word = Buffer.from("PROXY ", "latin1");

/** Reads a header from the first bytes of a connection; undefined while more bytes are needed. */
export function readProxyHeader(bytes: Uint8Array): ProxyHeader | Malformed | undefined {
  if (bytes.length === 0) return undefined;
  if (beginsLike(bytes, word)) return bytes.length < word.length ? undefined : readLine(bytes);
  if (beginsLike(bytes, signature)) return bytes.length < fixedBytes ? undefined : readBlock(bytes);
  return new Malformed("the connection does not begin with a PROXY header");
}

/** True while the bytes there are do not differ from the beginning that is wanted. */
function beginsLike(bytes: Uint8Array, beginning: Uint8Array): boolean {
  const known = Math.min(bytes.length, beginning.length);
  for (let at = 0; at < known; at++) if (bytes[at] !== beginning[at]) return false;
  return true;
}

// ---------------------------------------------------------------------------------------------
// Version 1: PROXY TCP4 192.0.2.1 192.0.2.2 56324 443\r\n

function readLine(bytes: Uint8Array): ProxyHeader | Malformed | undefined {
  const cr = bytes.subarray(0, longestLine).indexOf(0x0d);
  const lf = bytes.subarray(0, longestLine).indexOf(0x0a);
  if (lf !== -1 && (cr === -1 || lf < cr))
    return new Malformed("a line feed stands in the PROXY line without a carriage return");
  if (cr === -1 || cr + 1 >= longestLine)
    return bytes.length < longestLine ? undefined : new Malformed(`the PROXY line is longer than ${longestLine} bytes`);
  if (cr + 1 >= bytes.length) return undefined;
  if (bytes[cr + 1] !== 0x0a) return new Malformed("a carriage return stands in the PROXY line without a line feed");
  return parseLine(Buffer.from(bytes.subarray(0, cr)).toString("latin1"), cr + 2);
}

function parseLine(line: string, length: number): ProxyHeader | Malformed {
  const [, family, source, destination, sourcePort, destinationPort, ...more] = line.split(" ");
  if (family === "UNKNOWN") return { version: 1, length, ends: undefined };
  const bytes = family === "TCP4" ? 4 : family === "TCP6" ? 16 : 0;
  if (bytes === 0 || destinationPort === undefined || more.length > 0)
    return new Malformed("the PROXY line is malformed");
  const from = lineEndpoint(source!, sourcePort!, bytes);
  const to = lineEndpoint(destination!, destinationPort, bytes);
  if (from === undefined || to === undefined) return new Malformed("an address or port of the PROXY line is malformed");
  return { version: 1, length, ends: { source: from, destination: to } };
}

function lineEndpoint(address: string, port: string, length: number): Endpoint | undefined {
  const bytes = address.includes("%") ? undefined : ipBytes(address);
  if (bytes?.length !== length || !/^(0|[1-9]\d{0,4})$/.test(port) || Number(port) > 65535) return undefined;
  return { address: ipText(bytes), port: Number(port) };
}

// ---------------------------------------------------------------------------------------------
// Version 2: signature, version and command, family, length, addresses, TLVs

/** Bytes of both addresses, by the family's upper four bits: UNSPEC, INET, INET6, UNIX. */
const addressBytes = [0, 12, 36, 216];
/** The lower four bits: UNSPEC, STREAM, DGRAM. */
const mostTransport = 2;
const crcType = 0x03;

function readBlock(bytes: Uint8Array): ProxyHeader | Malformed | undefined {
  const version = bytes[12]! >> 4;
  const command = bytes[12]! & 15;
  const length = fixedBytes + bytes[14]! * 256 + bytes[15]!;
  if (version !== 2) return new Malformed(`the PROXY header has version ${version}`);
  if (command > 1) return new Malformed(`the PROXY header has the unknown command ${command}`);
  if (length > mostBytes) return new Malformed(`the PROXY header is longer than ${mostBytes} bytes`);
  if (bytes.length < length) return undefined;
  // A LOCAL connection is the proxy's own, such as a health check: whatever else the block says is to be ignored.
  if (command === 0) return { version: 2, length, ends: undefined };
  return parseBlock(bytes.subarray(0, length));
}

function parseBlock(block: Uint8Array): ProxyHeader | Malformed {
  const [family, transport] = [block[13]! >> 4, block[13]! & 15];
  const addresses = addressBytes[family];
  if (addresses === undefined || transport > mostTransport)
    return new Malformed(`the PROXY header has the unknown family 0x${block[13]!.toString(16).padStart(2, "0")}`);
  if (block.length < fixedBytes + addresses) return new Malformed("the PROXY header is too short for its addresses");
  const fault = tlvFault(block, fixedBytes + addresses);
  if (fault !== undefined) return new Malformed(fault);
  return { version: 2, length: block.length, ends: endsOf(block, family) };
}

function endsOf(block: Uint8Array, family: number): ProxyHeader["ends"] {
  const size = family === 1 ? 4 : family === 2 ? 16 : 0;
  if (size === 0) return undefined;
  const port = (at: number) => block[at]! * 256 + block[at + 1]!;
  const ports = fixedBytes + 2 * size;
  return {
    source: { address: ipText(block.subarray(fixedBytes, fixedBytes + size)), port: port(ports) },
    destination: { address: ipText(block.subarray(fixedBytes + size, ports)), port: port(ports + 2) },
  };
}

/** Walks the TLVs: each must be whole, and a checksum among them right. */
function tlvFault(block: Uint8Array, from: number): string | undefined {
  let at = from;
  while (at < block.length) {
    const end = at + 3 + (block[at + 1] ?? 0) * 256 + (block[at + 2] ?? 0);
    if (at + 3 > block.length || end > block.length) return "a TLV of the PROXY header is cut off";
    if (block[at] === crcType && !checksumFits(block, at + 3, end)) return "the checksum of the PROXY header is wrong";
    at = end;
  }
  return undefined;
}

function checksumFits(block: Uint8Array, from: number, to: number): boolean {
  if (to - from !== 4) return false;
  const zeroed = Uint8Array.from(block); // a Buffer's own slice() would be a view of it
  zeroed.fill(0, from, to);
  return crc32c(zeroed) === new DataView(block.buffer, block.byteOffset).getUint32(from);
}

// ---------------------------------------------------------------------------------------------
// Writing

/** The header of a connection on behalf of `source`, or of our own where it is undefined. */
export function proxyHeader(version: 1 | 2, source: Endpoint | undefined, destination: Endpoint): Uint8Array {
  const from = source && ipBytes(source.address);
  const to = ipBytes(destination.address);
  const known = from !== undefined && to !== undefined ? { source: source!, destination, from, to } : undefined;
  return version === 1 ? line(known) : block(known);
}

interface KnownEnds {
  readonly source: Endpoint;
  readonly destination: Endpoint;
  readonly from: Uint8Array;
  readonly to: Uint8Array;
}

/** Both ends in one family: a header has only one, so IPv4 beside IPv6 goes as mapped IPv6. */
function oneFamily({ from, to }: KnownEnds): [Uint8Array, Uint8Array] {
  return from.length === to.length ? [from, to] : [mappedBytes(from), mappedBytes(to)];
}

function line(ends: KnownEnds | undefined): Uint8Array {
  if (ends === undefined) return Buffer.from("PROXY UNKNOWN\r\n", "latin1");
  const { source, destination } = ends;
  const [from, to] = oneFamily(ends);
  const family = from.length === 4 ? "TCP4" : "TCP6";
  const addresses = `${lineAddress(from)} ${lineAddress(to)}`;
  return Buffer.from(`PROXY ${family} ${addresses} ${source.port} ${destination.port}\r\n`, "latin1");
}

function lineAddress(bytes: Uint8Array): string {
  const text = ipText(bytes);
  return bytes.length === 16 && !text.includes(":") ? `::ffff:${text}` : text;
}

function block(ends: KnownEnds | undefined): Uint8Array {
  if (ends === undefined) return Uint8Array.of(...signature, 0x20, 0x00, 0, 0);
  const [from, to] = oneFamily(ends);
  const ports = [
    ends.source.port >> 8,
    ends.source.port & 255,
    ends.destination.port >> 8,
    ends.destination.port & 255,
  ];
  const family = from.length === 4 ? 0x11 : 0x21;
  return Uint8Array.of(...signature, 0x21, family, 0, 2 * from.length + 4, ...from, ...to, ...ports);
}
