/** The head of a request: request line, Host, and what a client claims about itself. */
import type { FailureCode } from "../errors.ts";
import { latin1Slice } from "../net/latin1.ts";
import { orderedCuts } from "./field-lines.ts";
import { isAuthority, isName, isTwin, kinds, knownAuthority, TARGET, TOKEN } from "./grammar.ts";
import { Head, type HeadLimits, Refusal, readHead } from "./head.ts";

const SP = 32;
const SLASH = 47;

export class RequestHead extends Head {
  method = "";
  /** In origin form, or `*`; of CONNECT, host and port. */
  target = "";
  /** The Host field's value, or the authority of an absolute-form target. */
  authority = "";
  /** The target was a whole URL; its authority replaces Host (RFC 9112 section 3.2.2). */
  absolute = false;
  hostStart = -1;
  hostEnd = -1;
  /** The value of Via, several lines joined. */
  via = "";
  /** The value of Expect, lower case. */
  expect = "";
  /** Lines in which a client says who it is or who it speaks for: kept only from trusted peers. */
  claims: number[] | null = null;
  forwardedFor: string | undefined;
  requestId: string | undefined;

  protected override get badHead(): FailureCode {
    return "bad_header";
  }
  protected override get tooLarge(): FailureCode {
    return "head_too_large";
  }
  protected override get badFraming(): FailureCode {
    return "bad_framing";
  }
  protected override get unknownCoding(): FailureCode {
    return "unknown_transfer_coding";
  }

  /** True when the client leaves the connection open for a next request. */
  get keepsAlive(): boolean {
    return this.minor === 1 ? !this.saysClose : this.saysKeepAlive && !this.saysClose;
  }

  /** Takes out what the client claims about itself, because its peer is not trusted. */
  disbelieve(): void {
    if (this.claims === null) return;
    this.cuts = orderedCuts(this.cuts === null ? this.claims : [...this.cuts, ...this.claims]);
    this.claims = null;
  }

  /** Leaves Host out of the fields, for a direction that writes its own. */
  cutHost(): void {
    if (this.hostStart === -1) return;
    const host = [this.hostStart, this.hostEnd];
    this.cuts = this.cuts === null ? host : orderedCuts([...this.cuts, ...host]);
    this.hostStart = -1;
  }

  protected override note(start: number, nameEnd: number, lineEnd: number): Refusal | undefined {
    const { bytes } = this;
    const length = nameEnd - start;
    switch (bytes[start]! | 0x20) {
      case 104: // h
        if (length === 4 && isName(bytes, start, "host"))
          return this.noteHost(this.hostAt(nameEnd, lineEnd), start, lineEnd + 2);
        return undefined;
      case 101: // e
        if (length === 6 && isName(bytes, start, "expect")) this.noteExpect(this.value(nameEnd, lineEnd).toLowerCase());
        return undefined;
      case 102: // f
        if (length === 9 && isName(bytes, start, "forwarded")) this.claim(start, lineEnd + 2);
        return undefined;
      case 118: // v
        if (length === 3 && isName(bytes, start, "via")) this.noteVia(this.value(nameEnd, lineEnd));
        return undefined;
      case 120: // x
        this.noteClaim(start, nameEnd, lineEnd);
        return undefined;
      default:
        return undefined;
    }
  }

  /** Several lines are one list; every expectation in it counts. */
  private noteExpect(value: string): void {
    this.expect = this.expect === "" || this.expect === value ? value : `${this.expect}, ${value}`;
  }

  private noteVia(value: string): void {
    this.via = this.via === "" ? value : `${this.via}, ${value}`;
  }

  private noteClaim(start: number, nameEnd: number, lineEnd: number): void {
    const { bytes } = this;
    const length = nameEnd - start;
    if (length === 12 && isTwin(bytes, start, "x-request-id")) {
      if (isName(bytes, start, "x-request-id")) this.requestId = this.value(nameEnd, lineEnd);
      this.claim(start, lineEnd + 2);
    } else if (length > 12 && isTwin(bytes, start, "x-forwarded-")) {
      if (length === 15 && isName(bytes, start, "x-forwarded-for")) {
        const value = this.value(nameEnd, lineEnd);
        this.forwardedFor = this.forwardedFor === undefined ? value : `${this.forwardedFor}, ${value}`;
      }
      this.claim(start, lineEnd + 2);
    }
  }

  /** What a server might take for framing is refused, whatever it means to us. */
  protected override noteTwin(start: number, name: string): Refusal | undefined {
    if (!isTwin(this.bytes, start, name)) return undefined;
    return new Refusal("bad_framing", `a field that some servers read as ${name}`);
  }

  private claim(start: number, end: number): void {
    this.claims ??= [];
    this.claims.push(start, end);
  }

  /** True when its request line and the fields that go on can be sent byte for byte. */
  get isPlain(): boolean {
    return this.minor === 1 && !this.absolute && this.bytes.length > 0;
  }

  /** Copies the request line of a plain one to the start of `target`; returns the bytes copied. */
  copyLine(target: Uint8Array): number {
    return this.bytes.copy(target, 0, 0, this.fieldsStart);
  }

  /** Copies the fields of a plain one that go on to `target` from `at`; returns where they end. */
  copyFields(target: Uint8Array, at: number): number {
    const { bytes, cuts, fieldsEnd } = this;
    let end = at;
    let position = this.fieldsStart;
    if (cuts !== null) {
      for (let i = 0; i < cuts.length; i += 2) {
        if (cuts[i]! > position) end += bytes.copy(target, end, position, cuts[i]!);
        position = cuts[i + 1]!;
      }
    }
    return position < fieldsEnd ? end + bytes.copy(target, end, position, fieldsEnd) : end;
  }

  /** Nearly all requests name the same host: its text is there already. */
  private hostAt(nameEnd: number, lineEnd: number): string {
    const from = this.bytes[nameEnd + 1] === SP ? nameEnd + 2 : nameEnd + 1;
    return knownAuthority(this.bytes, from, lineEnd) ?? this.value(nameEnd, lineEnd);
  }

  private noteHost(host: string, start: number, end: number): Refusal | undefined {
    if (this.hostStart !== -1) return new Refusal("bad_host", "Host more than once");
    if (!isAuthority(host)) return new Refusal("bad_host", "Host is not a host name with an optional port");
    this.hostStart = start;
    this.hostEnd = end;
    if (this.authority === "") this.authority = host;
    return undefined;
  }

  protected override conclude(): Refusal | undefined {
    if (this.hostStart === -1 && this.minor === 1) return new Refusal("bad_host", "Host is missing");
    if (this.chunked && this.contentLength !== -1)
      return new Refusal("bad_framing", "both Content-Length and Transfer-Encoding");
    if (this.chunked && this.minor === 0) return new Refusal("bad_framing", "Transfer-Encoding in HTTP/1.0");
    if (this.method === "CONNECT" && (this.chunked || this.contentLength > 0))
      return new Refusal("bad_framing", "CONNECT with a body");
    if (this.expect !== "" && this.expect !== "100-continue")
      return new Refusal("expectation_failed", "Expect is not 100-continue");
    return undefined;
  }

  /** @internal */
  scan(bytes: Buffer, limit: number, limits: HeadLimits): RequestHead | Refusal | undefined {
    this.bytes = bytes;
    this.limit = limit;
    const refusal = this.scanRequestLine(limits.connect === true);
    if (refusal === null) return undefined;
    return refusal ?? this.scanFields(limits);
  }

  /** Null when more bytes are needed. */
  private scanRequestLine(takesConnect: boolean): Refusal | null | undefined {
    const { bytes, limit } = this;
    let position = 0;
    while (position < limit && (kinds[bytes[position]!]! & TOKEN) !== 0) position++;
    if (position === limit) return null;
    if (position === 0 || bytes[position] !== SP)
      return new Refusal("bad_request_line", "the method is not a token followed by one space");
    const methodEnd = position++;
    while (position < limit && (kinds[bytes[position]!]! & TARGET) !== 0) position++;
    if (position === limit) return null;
    if (position === methodEnd + 1 || bytes[position] !== SP)
      return new Refusal(
        "bad_request_line",
        "the target has characters that must be percent-encoded, or is not followed by one space",
      );
    const refusal = this.scanVersion(position + 1);
    if (refusal !== undefined) return refusal;
    this.fieldsStart = position + 11;
    this.method = isGet(bytes, methodEnd) ? "GET" : latin1Slice(bytes, 0, methodEnd);
    const target = latin1Slice(bytes, methodEnd + 1, position);
    return this.method === "CONNECT" ? this.noteAuthority(target, takesConnect) : this.noteTarget(target);
  }

  private scanVersion(start: number): Refusal | null | undefined {
    const { bytes, limit } = this;
    if (start + 10 <= limit && isVersion(bytes, start)) {
      this.minor = bytes[start + 7]! - 48;
      return undefined;
    }
    return versionFault(latin1Slice(bytes, start, Math.min(start + 10, limit)));
  }

  /** RFC 9112 section 3.2.3: host and port, and the port is not left out. */
  private noteAuthority(target: string, taken: boolean): Refusal | undefined {
    if (!taken) return new Refusal("connect_refused", "CONNECT");
    if (!isAuthority(target) || !/:[0-9]+$/.test(target))
      return new Refusal("bad_request_line", "the target of CONNECT is not a host and a port");
    this.target = target;
    this.authority = target;
    return undefined;
  }

  private noteTarget(target: string): Refusal | undefined {
    this.target = target;
    if (target.charCodeAt(0) === SLASH) return undefined;
    if (target === "*" && this.method === "OPTIONS") return undefined;
    const absolute = /^http:\/\/([^/?]+)([/?].*)?$/i.exec(target);
    if (absolute === null || !isAuthority(absolute[1]!))
      return new Refusal("bad_request_line", "the target is neither a path, an http URL, nor * with OPTIONS");
    this.absolute = true;
    this.authority = absolute[1]!;
    // RFC 9112 section 3.2.4: a URL without a path asks about the server itself.
    const rest = absolute[2] ?? (this.method === "OPTIONS" ? "*" : "/");
    this.target = rest.startsWith("?") ? `/${rest}` : rest;
    return undefined;
  }
}

function isGet(bytes: Uint8Array, methodEnd: number): boolean {
  return methodEnd === 3 && bytes[0] === 71 && bytes[1] === 69 && bytes[2] === 84;
}

const version = Buffer.from("HTTP/1.?\r\n");

/** `HTTP/1.1` or `HTTP/1.0`, and the end of the line. */
function isVersion(bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < 10; i++) if (i !== 7 && bytes[start + i] !== version[i]) return false;
  const minor = bytes[start + 7];
  return minor === 49 || minor === 48;
}

/** Null while the version may still become a good one. */
function versionFault(version: string): Refusal | null {
  if ("HTTP/1.1\r\n".startsWith(version) || "HTTP/1.0\r\n".startsWith(version)) return null;
  const wellFormed = /^HTTP\/[0-9]\.[0-9](\r\n?)?$/.test(version);
  if (wellFormed && !/^HTTP\/1\.[01]/.test(version))
    return version.length < 10 ? null : new Refusal("bad_version", `${version.trimEnd()} is not spoken here`);
  const partial = version.length < 8 && /^HTTP\/[0-9]?\.?$/.test(version);
  return partial ? null : new Refusal("bad_request_line", "the version is not HTTP/1.0 or HTTP/1.1 followed by CRLF");
}

/** Reads a request head from the start of `bytes`; undefined when more are needed. */
export function readRequestHead(bytes: Buffer, limits: HeadLimits): RequestHead | Refusal | undefined {
  return readHead(bytes, limits, RequestHead, "head_too_large");
}
