/** The head of an answer: status line, and how long the upstream keeps the connection. */
import type { FailureCode } from "../errors.ts";
import { kinds, VALUE } from "./grammar.ts";
import { Head, type HeadLimits, Refusal, readHead } from "./head.ts";

const CR = 13;
const LF = 10;
const SP = 32;

export class ResponseHead extends Head {
  status = 0;
  /** Seconds the upstream says it keeps an idle connection (`Keep-Alive: timeout=`); -1 when it says nothing. */
  keepAliveSeconds = -1;

  protected override get badHead(): FailureCode {
    return "upstream_bad_response";
  }
  protected override get tooLarge(): FailureCode {
    return "upstream_head_too_large";
  }
  protected override get badFraming(): FailureCode {
    return "upstream_bad_response";
  }
  protected override get unknownCoding(): FailureCode {
    return "upstream_bad_response";
  }

  /** The words after the status; often none. */
  get reason(): string {
    return this.fieldsStart > 15 ? this.text.slice(13, this.fieldsStart - 2) : "";
  }

  get keepsAlive(): boolean {
    return this.minor === 1 ? !this.saysClose : this.saysKeepAlive && !this.saysClose;
  }

  protected override noteKeepAlive(value: string, start: number, end: number): undefined {
    const timeout = /(?:^|[ ,])timeout=([0-9]{1,6})/i.exec(value);
    if (timeout !== null) this.keepAliveSeconds = Number(timeout[1]);
    return this.cut(start, end);
  }

  protected override note(): undefined {}

  protected override conclude(): Refusal | undefined {
    if (this.chunked && this.contentLength !== -1)
      return new Refusal(this.badFraming, "both Content-Length and Transfer-Encoding");
    if (this.chunked && this.minor === 0) return new Refusal(this.badFraming, "Transfer-Encoding in HTTP/1.0");
    return undefined;
  }

  /** @internal */
  scan(bytes: Buffer, limit: number, limits: HeadLimits): ResponseHead | Refusal | undefined {
    this.bytes = bytes;
    this.limit = limit;
    const end = this.scanStatusLine();
    if (end === -1) return this.statusLineFault();
    this.fieldsStart = end + 2;
    if (end === 12) this.cuts = []; // without the space of RFC 9112 section 4: it does not go on as it came
    return this.scanFields(limits);
  }

  /** Returns where the line ends, or -1 for one that is not whole and good. */
  private scanStatusLine(): number {
    const { bytes, limit } = this;
    if (limit < 14 || !startsAsHttp1(bytes)) return -1;
    const hundreds = bytes[9]! - 48;
    const tens = bytes[10]! - 48;
    const ones = bytes[11]! - 48;
    if (!(hundreds > 0 && hundreds < 10 && tens >= 0 && tens < 10 && ones >= 0 && ones < 10)) return -1;
    let end = 12;
    if (bytes[end] === SP) while (end < limit && (kinds[bytes[end]!]! & VALUE) !== 0) end++;
    if (end + 1 >= limit || bytes[end] !== CR || bytes[end + 1] !== LF) return -1;
    this.minor = bytes[7]! - 48;
    this.status = hundreds * 100 + tens * 10 + ones;
    return end;
  }

  /** Undefined when more bytes may still make it a good one. */
  private statusLineFault(): Refusal | undefined {
    const { text } = this;
    if (text.includes("\r\n")) return new Refusal(this.badHead, "malformed status line");
    return mayBecomeStatusLine(text) ? undefined : new Refusal(this.badHead, "not an HTTP/1.1 answer");
  }
}

const http1 = Buffer.from("HTTP/1.? ");

/** `HTTP/1.1 ` or `HTTP/1.0 `. */
function startsAsHttp1(bytes: Uint8Array): boolean {
  for (let i = 0; i < 9; i++) if (i !== 7 && bytes[i] !== http1[i]) return false;
  return bytes[7] === 49 || bytes[7] === 48;
}

const statusLine = /^HTTP\/1\.[01] [1-9][0-9]{2}(?: [\t\x20-\x7e\x80-\xff]*)?$/;

/** Whether a line whose end has not come can still be good: what is missing is filled in. */
function mayBecomeStatusLine(text: string): boolean {
  const line = text.length < 12 ? text + "HTTP/1.1 200".slice(text.length) : text;
  return statusLine.test(line.endsWith("\r") ? line.slice(0, -1) : line);
}

/** Reads a response head from the start of `bytes`; undefined when more are needed. */
export function readResponseHead(bytes: Buffer, limits: HeadLimits): ResponseHead | Refusal | undefined {
  return readHead(bytes, limits, ResponseHead, "upstream_head_too_large");
}
