/** The head of an answer: status line, and how long the upstream keeps the connection. */
import { kinds, VALUE } from "./grammar.ts";
import { Head, type HeadLimits, Refusal, readHead } from "./head.ts";

const SP = 32;

export class ResponseHead extends Head {
  status = 0;
  reason = "";
  /** Seconds the upstream says it keeps an idle connection (`Keep-Alive: timeout=`); -1 when it says nothing. */
  keepAliveSeconds = -1;

  protected override readonly badHead = "upstream_bad_response";
  protected override readonly tooLarge = "upstream_head_too_large";
  protected override readonly badFraming = "upstream_bad_response";
  protected override readonly unknownCoding = "upstream_bad_response";

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
  scan(bytes: Uint8Array, text: string, limits: HeadLimits): ResponseHead | Refusal | undefined {
    this.bytes = bytes;
    this.text = text;
    this.limit = text.length;
    const refusal = this.scanStatusLine();
    if (refusal === null) return undefined;
    return refusal ?? this.scanFields(limits);
  }

  private scanStatusLine(): Refusal | null | undefined {
    const text = this.text;
    const end = text.indexOf("\r\n");
    if (end === -1) return mayBecomeStatusLine(text) ? null : new Refusal(this.badHead, "not an HTTP/1.1 answer");
    const digits = text.charCodeAt(7) - 48;
    this.status = (text.charCodeAt(9) - 48) * 100 + (text.charCodeAt(10) - 48) * 10 + text.charCodeAt(11) - 48;
    const reasonStart = end > 12 ? 13 : 12;
    const line = text.slice(0, 9);
    if ((line !== "HTTP/1.1 " && line !== "HTTP/1.0 ") || !this.plausible(end))
      return new Refusal(this.badHead, "malformed status line");
    this.minor = digits;
    this.reason = text.slice(reasonStart, end);
    this.fieldsStart = end + 2;
    return undefined;
  }

  private plausible(end: number): boolean {
    if (!(this.status >= 100 && this.status <= 999)) return false;
    for (let i = 9; i < 12; i++) if (this.text.charCodeAt(i) < 48 || this.text.charCodeAt(i) > 57) return false;
    if (end > 12 && this.text.charCodeAt(12) !== SP) return false;
    for (let i = 12; i < end; i++) if ((kinds[this.text.charCodeAt(i)]! & VALUE) === 0) return false;
    return true;
  }
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
