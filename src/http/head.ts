/**
 * Reads the head of a message: start line and fields, strictly (RFC 9112 sections 2–6, 11).
 *
 *   GET /a HTTP/1.1\r\n          start line
 *   Host: x\r\n                  fields: kept as text, looked up when asked for
 *   \r\n                         end
 *
 * The scan goes left to right and stops at the first fault, so that the verdict on a head does not
 * depend on how its bytes were cut into packets. Nothing is repaired: what is ambiguous is refused.
 */
import type { FailureCode } from "../errors.ts";
import { latin1Slice } from "../net/latin1.ts";
import { fieldLines, orderedCuts } from "./field-lines.ts";
import { decimal, isName, kinds, TOKEN, trimmed, valueEnd } from "./grammar.ts";

/** A head that is not accepted, and why. */
export class Refusal {
  readonly code: FailureCode;
  readonly detail: string;
  constructor(code: FailureCode, detail: string) {
    this.code = code;
    this.detail = detail;
  }
}

export interface HeadLimits {
  /** Bytes of start line and fields together. */
  readonly headBytes: number;
  readonly headFields: number;
  /** CONNECT is understood. Where it is not, what follows its head must not be read as a request. */
  readonly connect?: boolean;
}

const CR = 13;
const LF = 10;
const SP = 32;
const TAB = 9;
const COLON = 58;

/** Elements that all `Connection` lines together may have: each is compared with each field. */
const mostNominations = 200;

const nothing = Buffer.alloc(0);

/** What both kinds of head have: fields as text, and the few the engine must understand. */
export abstract class Head {
  /** What it is read from, `limit` bytes of which may be looked at; empty once it was settled. */
  protected bytes: Buffer = nothing;
  protected limit = 0;
  private ownText: string | undefined;
  private ownLower: string | undefined;
  /** Minor version: 0 or 1. */
  minor = 1;
  fieldsStart = 0;
  /** Index of the empty line's CRLF: fields are `text.slice(fieldsStart, fieldsEnd)`. */
  fieldsEnd = 0;
  /** Bytes the head takes, the empty line included. */
  length = 0;
  /** Declared bytes of body; -1 when not declared. */
  contentLength = -1;
  chunked = false;
  /** `Connection: close` was there. */
  saysClose = false;
  /** `Connection: keep-alive` was there. */
  saysKeepAlive = false;
  /** The value of Upgrade, several lines joined; the lines themselves are not sent on. */
  upgrade = "";
  /** `TE: trailers` was there. */
  takesTrailers = false;
  /** Lines that concern this hop only and are not sent on: pairs of start and end, in order. */
  cuts: number[] | null = null;
  /** Names listed in `Connection`, lower case, without close and keep-alive; they end here, in trailers too. */
  nominated: Set<string> | null = null;
  private fieldCount = 0;
  private nominations = 0;

  protected abstract get badHead(): FailureCode;
  protected abstract get tooLarge(): FailureCode;

  /** The head's characters, one per byte; made when first asked for, as a head that goes on as it came needs none. */
  get text(): string {
    this.ownText ??= latin1Slice(this.bytes, 0, this.limit);
    return this.ownText;
  }

  /** The text in lower case, to find names in. */
  get lower(): string {
    this.ownLower ??= this.text.toLowerCase();
    return this.ownLower;
  }

  /** Keeps the text instead of the bytes, which may be a small part of a large buffer. */
  settle(): void {
    if (this.bytes.length === 0) return;
    this.ownText = latin1Slice(this.bytes, 0, this.length);
    this.bytes = nothing;
  }

  /** Fields of one kind of head only. */
  protected abstract note(start: number, nameEnd: number, lineEnd: number): Refusal | undefined;

  protected cut(start: number, end: number): undefined {
    this.cuts ??= [];
    this.cuts.push(start, end);
    return undefined;
  }

  /** Scans fields; undefined when more bytes are needed. */
  protected scanFields(limits: HeadLimits): this | Refusal | undefined {
    const { bytes, limit } = this;
    let position = this.fieldsStart;
    // Bytes, not characters, are looked at here: a typed array is read at half the cost of a string.
    while (position < limit) {
      const start = position;
      if (bytes[position] === CR) return this.finish(position);
      while (position < limit && (kinds[bytes[position]!]! & TOKEN) !== 0) position++;
      if (position === limit) return undefined;
      if (bytes[position] !== COLON || position === start) return this.badName(start, position);
      const nameEnd = position++;
      position = valueEnd(bytes, position, limit);
      if (position === limit) return undefined;
      if (bytes[position] !== CR)
        return new Refusal(this.badHead, `control character in the value of ${this.text.slice(start, nameEnd)}`);
      if (position + 1 === limit) return undefined;
      if (bytes[position + 1] !== LF) return new Refusal(this.badHead, "CR without LF");
      if (++this.fieldCount > limits.headFields) return this.tooManyFields(limits, start, nameEnd);
      const refusal = this.noteField(start, nameEnd, position);
      if (refusal !== undefined) return refusal;
      position += 2;
    }
    return undefined;
  }

  private tooManyFields(limits: HeadLimits, start: number, nameEnd: number): Refusal {
    return new Refusal(
      this.tooLarge,
      `more than ${limits.headFields} header fields; ${this.text.slice(start, nameEnd)} is one too many`,
    );
  }

  private badName(start: number, position: number): Refusal {
    const code = this.bytes[position];
    if (position === start && (code === SP || code === TAB))
      return new Refusal(this.badHead, "folded header line (obs-fold)");
    if (code === SP || code === TAB) return new Refusal(this.badHead, "white space before the colon of a header field");
    if (code === LF || code === CR)
      return new Refusal(this.badHead, "header line without a colon, or a line end that is not CRLF");
    return new Refusal(this.badHead, "character that is not allowed in a header name");
  }

  /** Looks at the few fields that matter here; the first letter sorts out nearly all others. */
  private noteField(start: number, nameEnd: number, lineEnd: number): Refusal | undefined {
    const { bytes } = this;
    const length = nameEnd - start;
    switch (bytes[start]! | 0x20) {
      case 99: // c
        if (length === 10 && isName(bytes, start, "connection")) return this.noteConnection(start, nameEnd, lineEnd);
        if (length !== 14) return undefined;
        return isName(bytes, start, "content-length")
          ? this.noteLength(nameEnd, lineEnd)
          : this.noteTwin(start, "content-length");
      case 107: // k
        if (length === 10 && isName(bytes, start, "keep-alive"))
          return this.noteKeepAlive(this.value(nameEnd, lineEnd), start, lineEnd + 2);
        return undefined;
      case 112: // p
        if (length === 16 && isName(bytes, start, "proxy-connection")) this.cut(start, lineEnd + 2);
        return undefined;
      case 116: // t
        if (length === 2 && isName(bytes, start, "te")) this.noteTe(this.value(nameEnd, lineEnd), start, lineEnd + 2);
        if (length !== 17) return undefined;
        return isName(bytes, start, "transfer-encoding")
          ? this.noteCoding(this.value(nameEnd, lineEnd))
          : this.noteTwin(start, "transfer-encoding");
      case 117: // u
        if (length === 7 && isName(bytes, start, "upgrade"))
          return this.noteUpgrade(this.value(nameEnd, lineEnd), start, lineEnd + 2);
        return undefined;
      default:
        return this.note(start, nameEnd, lineEnd);
    }
  }

  /** A name as long as a framing field's that begins with the same letter, and is not it. */
  protected noteTwin(_start: number, _name: string): Refusal | undefined {
    return undefined;
  }

  /** The value between colon and line end, without white space around it. */
  protected value(nameEnd: number, lineEnd: number): string {
    const { bytes } = this;
    let from = nameEnd + 1;
    let to = lineEnd;
    while (from < to && (bytes[from] === SP || bytes[from] === TAB)) from++;
    while (to > from && (bytes[to - 1] === SP || bytes[to - 1] === TAB)) to--;
    return latin1Slice(bytes, from, to);
  }

  protected noteKeepAlive(_value: string, start: number, end: number): undefined {
    return this.cut(start, end);
  }

  /** True when `Connection` names that field, given in lower case. */
  nominates(name: string): boolean {
    return this.nominated?.has(name) === true;
  }

  private noteTe(value: string, start: number, end: number): void {
    this.cut(start, end);
    for (const part of value.toLowerCase().split(",")) if (trimmed(part) === "trailers") this.takesTrailers = true;
  }

  private noteUpgrade(value: string, start: number, end: number): undefined {
    this.upgrade = this.upgrade === "" ? value : `${this.upgrade}, ${value}`;
    return this.cut(start, end);
  }

  private noteConnection(start: number, nameEnd: number, lineEnd: number): Refusal | undefined {
    this.cut(start, lineEnd + 2);
    const { bytes } = this;
    if (lineEnd - nameEnd === 12 && bytes[nameEnd + 1] === SP && isName(bytes, nameEnd + 2, "keep-alive")) {
      this.saysKeepAlive = true; // what browsers and most clients send
      return undefined;
    }
    const parts = this.value(nameEnd, lineEnd).toLowerCase().split(",", mostNominations);
    this.nominations += parts.length;
    if (this.nominations >= mostNominations) return new Refusal(this.tooLarge, "Connection names too many fields");
    for (const part of parts) {
      const token = trimmed(part);
      if (token === "close") this.saysClose = true;
      else if (token === "keep-alive") this.saysKeepAlive = true;
      else if (token !== "") {
        this.nominated ??= new Set();
        this.nominated.add(token);
      }
    }
    return undefined;
  }

  /** RFC 9112 section 6.3: one line, digits only; even equal repetitions are refused. */
  private noteLength(nameEnd: number, lineEnd: number): Refusal | undefined {
    if (this.contentLength !== -1) return new Refusal(this.badFraming, "Content-Length more than once");
    this.contentLength = decimal(this.bytes, nameEnd + 1, lineEnd);
    return this.contentLength === -1 ? new Refusal(this.badFraming, "Content-Length is not a number") : undefined;
  }

  private noteCoding(value: string): Refusal | undefined {
    if (this.chunked) return new Refusal(this.badFraming, "Transfer-Encoding more than once");
    const codings = value.toLowerCase().split(",");
    if (codings.length > 1 && codings.filter((coding) => trimmed(coding) === "chunked").length > 1) {
      return new Refusal(this.badFraming, "chunked more than once");
    }
    if (value.toLowerCase() !== "chunked")
      return new Refusal(this.unknownCoding, "Transfer-Encoding is not exactly chunked");
    this.chunked = true;
    return undefined;
  }

  protected abstract get badFraming(): FailureCode;
  protected abstract get unknownCoding(): FailureCode;
  protected abstract conclude(): Refusal | undefined;

  private finish(position: number): this | Refusal | undefined {
    if (position + 1 >= this.limit) return undefined;
    if (this.bytes[position + 1] !== LF) return new Refusal(this.badHead, "CR without LF");
    this.fieldsEnd = position;
    this.length = position + 2;
    this.limit = this.length;
    if (this.nominated !== null) this.cutNominated(this.nominated);
    return this.conclude() ?? this;
  }

  /** Removes the fields that `Connection` names, but never framing or Host, whose loss would change the message. */
  private cutNominated(names: ReadonlySet<string>): void {
    for (const line of fieldLines(this)) {
      const name = this.text.slice(line.start, line.nameEnd).toLowerCase();
      if (name === "host" || name === "content-length" || name === "transfer-encoding") continue;
      if (names.has(name)) this.cut(line.start, line.end);
    }
    this.cuts = orderedCuts(this.cuts);
  }
}

/** A scanner of one kind of head, new for every look. */
interface Scanner<H> {
  /** Looks at the first `limit` bytes. */
  scan(bytes: Buffer, limit: number, limits: HeadLimits): H | Refusal | undefined;
}

/** Reads a head from the start of `bytes`; undefined when more are needed. */
export function readHead<H>(
  bytes: Buffer,
  limits: HeadLimits,
  make: new () => Scanner<H>,
  tooLarge: FailureCode,
): H | Refusal | undefined {
  const outcome = new make().scan(bytes, Math.min(bytes.length, limits.headBytes), limits);
  if (outcome !== undefined || bytes.length < limits.headBytes) return outcome;
  return new Refusal(tooLarge, `head larger than ${limits.headBytes} bytes`);
}
