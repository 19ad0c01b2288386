/**
 * Encodes heads, given as HTTP/1 text, to header blocks: RFC 7541 section 6, RFC 9113 section 8.
 *
 *   HTTP/1.1 200 OK\r\n                ->  :status 200
 *   Content-Type: text/plain\r\n       ->  content-type: text/plain
 *   Transfer-Encoding: chunked\r\n     ->  nothing
 */
import { trimmed } from "../http/grammar.ts";
import { EncoderTable } from "./encoder-table.ts";
import { FieldKind, kindOf } from "./field-kind.ts";
import { encodeHuffman, huffmanLength } from "./huffman.ts";
import { isSensitive } from "./sensitive-names.ts";
import { staticFields } from "./static-table.ts";

/** A block of this thread on its way to frames: valid until the next one is encoded. */
let block = Buffer.allocUnsafeSlow(16 * 1024);

/** First index of each static name. */
const staticNames = new Map<string, number>();
/** Index of each static field with a value, by its line. */
const staticLines = new Map<string, number>();
staticFields.forEach(([name, value], at) => {
  if (!staticNames.has(name)) staticNames.set(name, at + 1);
  if (value !== "") staticLines.set(`${name}: ${value}`, at + 1);
});

interface Name {
  readonly lower: string;
  readonly kind: FieldKind;
  /** In the static table; 0 when it is not there. */
  readonly index: number;
}

/** Names as they are written by those who send them. */
const names = new Map<string, Name>();
const mostNames = 1024;

function nameOf(text: string): Name {
  const known = names.get(text);
  if (known !== undefined) return known;
  const lower = text.toLowerCase();
  const name: Name = { lower, kind: kindOf(lower), index: staticNames.get(lower) ?? 0 };
  if (names.size < mostNames && text.length <= 64) names.set(Buffer.from(text, "latin1").toString("latin1"), name);
  return name;
}

const statusName = nameOf(":status");
const methodName = nameOf(":method");
const schemeName = nameOf(":scheme");
const pathName = nameOf(":path");
const authorityName = nameOf(":authority");

export class HeaderEncoder {
  private readonly table = new EncoderTable();
  private at = 0;
  /** The smallest and the last size the peer allowed since the last block; -1 when none. */
  private smallestSize = -1;
  private nextSize = -1;

  /** The peer's SETTINGS_HEADER_TABLE_SIZE: told to its decoder at the beginning of the next block (section 4.2). */
  setTableSize(bytes: number): void {
    this.smallestSize = this.smallestSize === -1 ? bytes : Math.min(this.smallestSize, bytes);
    this.nextSize = bytes;
  }

  /** Head of an answer, with its empty line. Returns the block, valid until the next call of any encoder. */
  response(head: string): Buffer {
    this.begin(head.length);
    const lineEnd = head.indexOf("\r\n");
    const status = head.slice(9, 12);
    this.pseudo(statusName, status);
    this.lines(head, lineEnd + 2);
    return block.subarray(0, this.at);
  }

  /** Head of a request: Host becomes `:authority`. */
  request(head: string, scheme: string): Buffer {
    this.begin(head.length + 64);
    const methodEnd = head.indexOf(" ");
    const pathEnd = head.indexOf(" ", methodEnd + 1);
    const lineEnd = head.indexOf("\r\n", pathEnd);
    this.pseudo(methodName, head.slice(0, methodEnd));
    this.pseudo(schemeName, scheme);
    this.pseudo(pathName, head.slice(methodEnd + 1, pathEnd));
    this.authority(head, lineEnd + 2);
    this.lines(head, lineEnd + 2);
    return block.subarray(0, this.at);
  }

  /** Field lines, each with its CRLF. */
  trailers(lines: string): Buffer {
    this.begin(lines.length);
    this.lines(lines, 0);
    return block.subarray(0, this.at);
  }

  /** A line is at least four characters; what is beside its text takes at most nine bytes. */
  private begin(characters: number): void {
    if (block.length < characters * 4 + 64) block = Buffer.allocUnsafeSlow(characters * 4 + 64);
    this.at = 0;
    if (this.nextSize === -1) return;
    const smallest = this.table.resize(this.smallestSize);
    const last = this.table.resize(this.nextSize);
    if (smallest < last) this.integer(0x20, 0x1f, smallest);
    this.integer(0x20, 0x1f, last);
    this.nextSize = this.smallestSize = -1;
  }

  private authority(head: string, start: number): void {
    for (let from = start; from < head.length; ) {
      const end = head.indexOf("\r\n", from);
      const colon = head.indexOf(":", from);
      if (colon - from === 4 && head.slice(from, colon).toLowerCase() === "host") {
        this.pseudo(authorityName, trimmed(head.slice(colon + 1, end)));
        return;
      }
      from = end + 2;
    }
  }

  private lines(text: string, start: number): void {
    for (let from = start; from < text.length; ) {
      const end = text.indexOf("\r\n", from);
      if (end <= from) return;
      const line = text.slice(from, end);
      const index = this.table.indexOf(line);
      if (index !== 0) this.integer(0x80, 0x7f, index);
      else this.line(line);
      from = end + 2;
    }
  }

  /** A line that is in no table of this connection. */
  private line(line: string): void {
    const colon = line.indexOf(":");
    const name = nameOf(line.slice(0, colon));
    const { kind } = name;
    const value = trimmed(line.slice(colon + 1));
    if (kind === FieldKind.CONNECTION || kind === FieldKind.HOST || kind === FieldKind.MALFORMED) return;
    if (kind >= FieldKind.METHOD && kind <= FieldKind.UNKNOWN_PSEUDO) return;
    if (kind === FieldKind.TE && value.toLowerCase() !== "trailers") return;
    this.literal(line, name, value);
  }

  private pseudo(name: Name, value: string): void {
    const line = `${name.lower}: ${value}`;
    const index = staticLines.get(line) ?? this.table.indexOf(line);
    if (index !== 0) this.integer(0x80, 0x7f, index);
    else this.literal(line, name, value);
  }

  private literal(line: string, name: Name, value: string): void {
    if (isSensitive(name.lower, value)) this.integer(0x10, 0x0f, name.index);
    else if (this.table.isWorthKeeping(line) && this.table.insert(line, name.lower.length + value.length))
      this.integer(0x40, 0x3f, name.index);
    else this.integer(0x00, 0x0f, name.index);
    if (name.index === 0) this.string(name.lower);
    this.string(value);
  }

  private integer(pattern: number, mask: number, value: number): void {
    if (value < mask) {
      block[this.at++] = pattern | value;
      return;
    }
    block[this.at++] = pattern | mask;
    let rest = value - mask;
    for (; rest >= 0x80; rest >>>= 7) block[this.at++] = (rest & 0x7f) | 0x80;
    block[this.at++] = rest;
  }

  private string(text: string): void {
    const coded = huffmanLength(text);
    if (coded < text.length) {
      this.integer(0x80, 0x7f, coded);
      this.at = encodeHuffman(text, block, this.at);
    } else {
      this.integer(0x00, 0x7f, text.length);
      this.at += block.write(text, this.at, "latin1");
    }
  }
}
