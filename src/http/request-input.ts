/** The bytes of a client that were not looked at yet, and the framing of the request they belong to. */
import { type BodyForm, type BodyReader, ChunkedReader, LengthReader, noBody } from "./body.ts";
import { type HeadLimits, Refusal } from "./head.ts";
import { type RequestHead, readRequestHead } from "./request-head.ts";

const CR = 13;
const LF = 10;
const nothing = new Uint8Array(0);

export class RequestInput {
  private bytes: Buffer | null = null;
  private reader: BodyReader = noBody;
  /** A request has ended, and nothing was seen since. */
  private between = false;

  get empty(): boolean {
    return this.bytes === null;
  }

  /** Bytes not looked at yet. */
  get length(): number {
    return this.bytes === null ? 0 : this.bytes.length;
  }

  /** All bytes not looked at yet. */
  peek(): Buffer {
    return this.bytes!;
  }

  /** True when nothing more belongs to the body of the request at hand. */
  get bodyDone(): boolean {
    return this.reader.done;
  }

  /** What is wrong with the framing of the body, once it is lost. */
  get fault(): string | undefined {
    return this.reader.fault;
  }

  /** Bytes of content the body has had so far. */
  get contentBytes(): number {
    return this.reader.contentBytes;
  }

  /** Trailer lines of a body that was read in form `content`. */
  get trailers(): string {
    return this.reader.trailers;
  }

  /** A record of TLS's handshake begins so, and no request (RFC 8446 section 5.1). One byte decides, however it is cut. */
  get looksLikeTls(): boolean {
    return this.bytes !== null && this.bytes[0] === 0x16;
  }

  /** Appends. False when that cannot change the verdict on a head, because no line ended: no need to scan it again. */
  add(bytes: Buffer, headBytes: number): boolean {
    const first = this.bytes === null;
    this.bytes = this.bytes === null ? bytes : Buffer.concat([this.bytes, bytes]);
    return first || bytes.indexOf(LF) !== -1 || this.bytes.length >= headBytes;
  }

  /**
   * Takes a head off; undefined when more bytes are needed. A refused one stays. Between two requests one empty line is
   * ignored (RFC 9112 section 2.2), as some clients send one behind a body; `empty` tells when that was all.
   */
  readHead(limits: HeadLimits): RequestHead | Refusal | undefined {
    if (this.between && !this.skipEmptyLine()) return undefined;
    const head = readRequestHead(this.bytes!, limits);
    if (head === undefined || head instanceof Refusal) return head;
    this.take(head.length);
    this.reader = readerFor(head);
    this.between = false;
    return head;
  }

  /** False when more bytes are needed. */
  private skipEmptyLine(): boolean {
    const bytes = this.bytes!;
    if (bytes[0] !== CR) return true;
    if (bytes.length === 1) return false;
    this.between = false;
    if (bytes[1] === LF) this.take(2);
    return this.bytes !== null;
  }

  /** Takes what is there of the body. */
  readBody(form: BodyForm): Uint8Array[] {
    const pieces: Uint8Array[] = [];
    this.take(this.reader.feed(this.bytes!, form, pieces));
    return pieces;
  }

  /** Everything that was not looked at: the connection carries something else from now on. */
  takeAll(): Uint8Array {
    const bytes = this.bytes ?? nothing;
    this.clear();
    return bytes;
  }

  /** The request is over; what is left belongs to the next one. */
  endBody(): void {
    this.reader = noBody;
    this.between = true;
  }

  /** Drops everything: no request will follow. */
  clear(): void {
    this.bytes = null;
    this.reader = noBody;
  }

  private take(count: number): void {
    const bytes = this.bytes!;
    this.bytes = count === bytes.length ? null : bytes.subarray(count);
  }
}

/** RFC 9112 section 6.3: no declared length means no body, in a request. */
function readerFor(head: RequestHead): BodyReader {
  if (head.chunked) return new ChunkedReader(head.nominated);
  return head.contentLength > 0 ? new LengthReader(head.contentLength) : noBody;
}
