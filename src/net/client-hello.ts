/**
 * What a TLS ClientHello asks for: the server's name and the application protocols. It is read before anything is
 * decrypted, to choose a certificate or, for passthrough, a route.
 * Sources: RFC 8446 sections 4.1.2 and 5.1, RFC 6066 section 3 (SNI), RFC 7301 section 3.1 (ALPN).
 */
import { Malformed } from "./malformed.ts";

export interface ClientHello {
  /** The name in lower case without a final dot; undefined when the client named none. */
  readonly serverName: string | undefined;
  /** In the client's order; empty when it offered none. */
  readonly alpn: readonly string[];
}

/** The longest ClientHello that is read, records' heads included; with post-quantum key shares 2 KiB are usual. */
const mostBytes = 16 * 1024;
/** What one record may hold (RFC 8446 section 5.1). */
const mostFragment = 1 << 14;

const recordHeader = 5;
const messageHeader = 4;
const handshakeRecord = 22;
const clientHello = 1;
const serverNameExtension = 0;
const alpnExtension = 16;

/** Reads the ClientHello at a connection's beginning; undefined while more bytes are needed. */
export function readClientHello(bytes: Uint8Array): ClientHello | Malformed | undefined {
  try {
    const message = handshakeMessage(bytes);
    if (message !== undefined) return parseHello(new Fields(message));
    return bytes.length > mostBytes ? new Malformed(`the ClientHello is longer than ${mostBytes} bytes`) : undefined;
  } catch (error) {
    if (error instanceof Fault) return new Malformed(error.message);
    throw error;
  }
}

/** Thrown inside this file only: a parser of nested lengths is unreadable otherwise. */
class Fault extends Error {}

/** The body of the first handshake message, put together from the records it is spread over. */
function handshakeMessage(bytes: Uint8Array): Uint8Array | undefined {
  let message = new Uint8Array(0);
  let at = 0;
  while (at < bytes.length) {
    const length = fragmentLength(bytes, at);
    if (length === undefined) return undefined;
    const from = at + recordHeader;
    message = joined(message, bytes.subarray(from, from + length));
    at = from + length;
    const whole = wholeLength(message);
    if (whole !== undefined && message.length >= whole) return message.subarray(messageHeader, whole);
  }
  return undefined;
}

/** What the record at that place holds, or undefined while its head is not complete. */
function fragmentLength(bytes: Uint8Array, at: number): number | undefined {
  if (bytes[at] !== handshakeRecord)
    throw new Fault("a record of another type than handshake stands in the ClientHello");
  if (at + 1 < bytes.length && bytes[at + 1] !== 3) throw new Fault("the TLS record has an unknown version");
  if (at + recordHeader > bytes.length) return undefined;
  const length = bytes[at + 3]! * 256 + bytes[at + 4]!;
  if (length === 0 || length > mostFragment) throw new Fault(`a TLS record announces ${length} bytes`);
  return length;
}

/** The message's length with its head, or undefined while that is not there. */
function wholeLength(message: Uint8Array): number | undefined {
  if (message.length > 0 && message[0] !== clientHello) throw new Fault("the first TLS message is not a ClientHello");
  if (message.length < messageHeader) return undefined;
  const length = messageHeader + message[1]! * 0x10000 + message[2]! * 256 + message[3]!;
  if (length > mostBytes) throw new Fault(`the ClientHello is longer than ${mostBytes} bytes`);
  return length;
}

function joined(head: Uint8Array<ArrayBuffer>, tail: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(head.length + tail.length);
  all.set(head);
  all.set(tail, head.length);
  return all;
}

/** Reads fields one after the other and never beyond the end. */
class Fields {
  private readonly bytes: Uint8Array;
  private at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }

  get done(): boolean {
    return this.at === this.bytes.length;
  }

  take(count: number): Uint8Array {
    if (this.at + count > this.bytes.length) throw new Fault("a field of the ClientHello is cut off");
    this.at += count;
    return this.bytes.subarray(this.at - count, this.at);
  }

  number(size: 1 | 2): number {
    const bytes = this.take(size);
    return size === 1 ? bytes[0]! : bytes[0]! * 256 + bytes[1]!;
  }

  /** A field that begins with its own length, of `size` bytes. */
  vector(size: 1 | 2, least: number, what: string): Uint8Array {
    const bytes = this.take(this.number(size));
    if (bytes.length < least) throw new Fault(`the ClientHello's ${what} is too short`);
    return bytes;
  }

  end(what: string): void {
    if (!this.done) throw new Fault(`bytes follow the ClientHello's ${what}`);
  }
}

function parseHello(hello: Fields): ClientHello {
  hello.take(2 + 32); // version and random
  if (hello.vector(1, 0, "session id").length > 32) throw new Fault("the ClientHello's session id is too long");
  if (hello.vector(2, 2, "list of ciphers").length % 2 !== 0)
    throw new Fault("the ClientHello's list of ciphers is odd");
  hello.vector(1, 1, "list of compressions");
  if (hello.done) return { serverName: undefined, alpn: [] };
  const extensions = readExtensions(new Fields(hello.vector(2, 0, "extensions")));
  hello.end("extensions");
  const names = extensions.get(serverNameExtension);
  const protocols = extensions.get(alpnExtension);
  return { serverName: names && readServerName(names), alpn: protocols ? readAlpn(protocols) : [] };
}

function readExtensions(list: Fields): Map<number, Uint8Array> {
  const extensions = new Map<number, Uint8Array>();
  while (!list.done) {
    const type = list.number(2);
    if (extensions.has(type)) throw new Fault(`the ClientHello has the extension ${type} twice`);
    extensions.set(type, list.vector(2, 0, "extension"));
  }
  return extensions;
}

/** Other types of names than host names were never defined, so a list has one entry. */
function readServerName(extension: Uint8Array): string {
  const outer = new Fields(extension);
  const list = new Fields(outer.vector(2, 1, "list of server names"));
  outer.end("list of server names");
  if (list.number(1) !== 0) throw new Fault("the ClientHello names the server by another type than a host name");
  const name = Buffer.from(list.vector(2, 1, "server name")).toString("latin1");
  list.end("server name");
  if (!/^[\x21-\x7e]{1,255}$/.test(name)) throw new Fault("the ClientHello's server name has invalid characters");
  return name.toLowerCase().replace(/\.$/, "");
}

function readAlpn(extension: Uint8Array): string[] {
  const outer = new Fields(extension);
  const list = new Fields(outer.vector(2, 2, "list of protocols"));
  outer.end("list of protocols");
  const protocols: string[] = [];
  while (!list.done) protocols.push(Buffer.from(list.vector(1, 1, "protocol name")).toString("latin1"));
  return protocols;
}
