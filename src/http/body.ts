/**
 * Frames a body: finds where it ends, and checks every byte of framing on the way (RFC 9112 section 7).
 *
 * A reader gives its bytes out in one of two forms: `wire`, as they came but without chunk extensions,
 * to be sent on under the same framing; or `content`, the bare body, for filters and HTTP/1.0 clients.
 */
import { isAll, kinds, TOKEN, VALUE } from "./grammar.ts";

export type BodyForm = "wire" | "content";

/** Reads one body. `fault` says what is wrong once framing is lost; `done` that the end was reached. */
export interface BodyReader {
  readonly done: boolean;
  readonly fault: string | undefined;
  /** Bytes of content taken so far, without framing. */
  readonly contentBytes: number;
  /** Trailer lines that came in form `content`, each with its CRLF; `wire` has them among its bytes. */
  readonly trailers: string;
  /** Takes what belongs to the body from `bytes`, pushes it to `out`, and returns how many bytes were taken. */
  feed(bytes: Uint8Array, form: BodyForm, out: Uint8Array[]): number;
  /** True when exactly `count` more bytes end the body; they count as taken then. */
  completes(count: number): boolean;
}

/** No body at all. */
export const noBody: BodyReader = {
  done: true,
  fault: undefined,
  contentBytes: 0,
  trailers: "",
  feed: () => 0,
  completes: (count) => count === 0,
};

/** A body of declared length. */
export class LengthReader implements BodyReader {
  readonly fault = undefined;
  readonly trailers = "";
  private readonly length: number;
  private remaining: number;

  constructor(length: number) {
    this.length = length;
    this.remaining = length;
  }

  get contentBytes(): number {
    return this.length - this.remaining;
  }

  get done(): boolean {
    return this.remaining === 0;
  }

  feed(bytes: Uint8Array, _form: BodyForm, out: Uint8Array[]): number {
    const taken = Math.min(bytes.length, this.remaining);
    if (taken === 0) return 0;
    this.remaining -= taken;
    out.push(taken === bytes.length ? bytes : bytes.subarray(0, taken));
    return taken;
  }

  completes(count: number): boolean {
    if (count !== this.remaining) return false;
    this.remaining = 0;
    return true;
  }
}

/** A body that ends when the peer closes; only answers have such. */
export class CloseReader implements BodyReader {
  readonly fault = undefined;
  readonly trailers = "";
  readonly done = false;
  contentBytes = 0;

  feed(bytes: Uint8Array, _form: BodyForm, out: Uint8Array[]): number {
    out.push(bytes);
    this.contentBytes += bytes.length;
    return bytes.length;
  }

  completes(): boolean {
    return false;
  }
}

type ChunkState = "size" | "extension" | "size-lf" | "data" | "data-cr" | "data-lf" | "trailer" | "done";

/** Digits of a chunk size: 12 hexadecimal ones are 256 TiB, and still an exact number. */
const mostSizeDigits = 12;
const mostExtensionBytes = 1024;
const mostTrailerBytes = 16 * 1024;
/** Fields that would change framing, routing or identity if a server merged trailers into the head (RFC 9110 section 6.5.1). */
const neverTrailers =
  /^(?:content-length|transfer-encoding|host|connection|keep-alive|proxy-.*|upgrade|te|trailer|authorization|www-authenticate|cookie|set-cookie|expect|max-forwards|range|if-.*|content-encoding|content-type|content-range|x-forwarded-.*|forwarded|x-request-id)$/i;

/** An underscore is a hyphen to some servers, as in `isTwin`. */
function isForbiddenTrailer(name: string): boolean {
  return neverTrailers.test(name.replaceAll("_", "-"));
}

/** The first name among these trailer lines, each with its CRLF, that must not stand there. */
export function forbiddenTrailer(lines: string): string | undefined {
  for (let start = 0; start < lines.length; start = lines.indexOf("\r\n", start) + 2) {
    const name = lines.slice(start, lines.indexOf(":", start));
    if (isForbiddenTrailer(name)) return name;
  }
  return undefined;
}

const CR = 13;
const LF = 10;
const SEMICOLON = 59;

/** The chunked transfer coding. */
export class ChunkedReader implements BodyReader {
  fault: string | undefined;
  contentBytes = 0;
  trailers = "";
  private state: ChunkState = "size";
  private size = 0;
  private digits = 0;
  private extensionBytes = 0;
  private trailerLine = "";
  private trailerBytes = 0;
  private readonly nominated: ReadonlySet<string> | null;

  /** @param nominated lower-case names of trailer fields that end here, as `Connection` named them (RFC 9110 section 7.6.1) */
  constructor(nominated: ReadonlySet<string> | null = null) {
    this.nominated = nominated;
  }

  get done(): boolean {
    return this.state === "done";
  }

  feed(bytes: Uint8Array, form: BodyForm, out: Uint8Array[]): number {
    const wire = form === "wire";
    let position = 0;
    let run = 0; // where the wire bytes begin that go out next
    while (position < bytes.length && this.state !== "done" && this.fault === undefined) {
      if (this.state === "data") {
        const end = position + Math.min(this.size, bytes.length - position);
        if (!wire) out.push(bytes.subarray(position, end));
        this.takeData(end - position);
        position = end;
        continue;
      }
      const inTrailer = this.state === "trailer";
      this.step(bytes[position++]!);
      if (!wire && this.finishedTrailer !== undefined) this.keepTrailer();
      // Extensions are dropped, and trailer lines held until they were checked; all else goes out as it came.
      if (!wire || (!inTrailer && this.state !== "extension")) continue;
      if (position - 1 > run) out.push(bytes.subarray(run, position - 1));
      run = position;
      if (this.finishedTrailer !== undefined && this.fault === undefined) this.releaseTrailer(out);
    }
    if (wire && position > run && this.fault === undefined) out.push(bytes.subarray(run, position));
    return position;
  }

  completes(): boolean {
    return false;
  }

  private takeData(count: number): void {
    this.size -= count;
    this.contentBytes += count;
    if (this.size === 0) this.state = "data-cr";
  }

  /** A complete trailer line, CRLF included, that a wire reader still has to give out. */
  private finishedTrailer: string | undefined;

  private releaseTrailer(out: Uint8Array[]): void {
    out.push(Buffer.from(this.finishedTrailer!, "latin1"));
    this.finishedTrailer = undefined;
  }

  private keepTrailer(): void {
    if (this.state !== "done") this.trailers += this.finishedTrailer;
    this.finishedTrailer = undefined;
  }

  private step(byte: number): void {
    switch (this.state) {
      case "size":
        this.stepSize(byte);
        break;
      case "extension":
        this.stepExtension(byte);
        break;
      case "size-lf":
        this.expect(byte, LF, this.size === 0 ? "trailer" : "data", "chunk size line does not end with CRLF");
        break;
      case "data-cr":
        this.expect(byte, CR, "data-lf", "chunk is longer than its size");
        break;
      case "data-lf":
        this.digits = 0;
        this.expect(byte, LF, "size", "chunk does not end with CRLF");
        break;
      case "trailer":
        this.stepTrailer(byte);
        break;
    }
  }

  private expect(byte: number, wanted: number, next: ChunkState, fault: string): void {
    if (byte === wanted) this.state = next;
    else this.fault = fault;
  }

  private stepSize(byte: number): void {
    const digit = hexDigit(byte);
    if (digit !== -1) {
      if (++this.digits > mostSizeDigits) this.fault = "chunk size has too many digits";
      else this.size = this.size * 16 + digit;
    } else if (this.digits === 0) this.fault = "chunk size is missing";
    else if (byte === CR) this.state = "size-lf";
    else if (byte === SEMICOLON) this.enterExtension();
    else this.fault = "chunk size is not hexadecimal";
  }

  private enterExtension(): void {
    this.state = "extension";
    this.extensionBytes = 0;
  }

  private stepExtension(byte: number): void {
    if (byte === CR) this.state = "size-lf";
    else if ((kinds[byte]! & VALUE) === 0) this.fault = "control character in a chunk extension";
    else if (++this.extensionBytes > mostExtensionBytes) this.fault = "chunk extension is too long";
  }

  private stepTrailer(byte: number): void {
    if (++this.trailerBytes > mostTrailerBytes) this.fault = "trailers are too long";
    else if (byte === LF) this.endTrailerLine(this.trailerLine);
    else if (this.trailerLine.endsWith("\r")) this.fault = "CR without LF in a trailer field";
    else if (byte !== CR && (kinds[byte]! & VALUE) === 0) this.fault = "control character in a trailer field";
    else this.trailerLine += String.fromCharCode(byte);
  }

  private endTrailerLine(line: string): void {
    this.trailerLine = "";
    this.finishedTrailer = `${line}\n`;
    if (line === "\r") {
      this.state = "done";
      return;
    }
    const colon = line.indexOf(":");
    const name = line.slice(0, colon);
    const value = line.slice(colon + 1, -1);
    if (colon < 1 || !isAll(name, TOKEN) || !line.endsWith("\r")) this.fault = "malformed trailer field";
    else if (value !== "" && !isAll(value, VALUE)) this.fault = "control character in a trailer field";
    else if (isForbiddenTrailer(name)) this.fault = `${name} is not allowed as a trailer field`;
    else if (this.nominated?.has(name.toLowerCase()) === true) this.finishedTrailer = undefined;
  }
}

function hexDigit(byte: number): number {
  if (byte >= 48 && byte <= 57) return byte - 48;
  const lower = byte | 0x20;
  return lower >= 97 && lower <= 102 ? lower - 87 : -1;
}

const lastChunk: Uint8Array = Buffer.from("0\r\n\r\n");

/** The end of a chunked body. `trailers` are lines, each with its CRLF. */
export function endChunks(trailers: string): Uint8Array {
  return trailers === "" ? lastChunk : Buffer.from(`0\r\n${trailers}\r\n`, "latin1");
}

const chunkEnd = Buffer.from("\r\n");

/** All pieces as one: each would cost a system call, and a client may send as many one-byte chunks as it likes. */
export function joined(pieces: Uint8Array[]): Uint8Array[] {
  return pieces.length > 1 ? [Buffer.concat(pieces)] : pieces;
}

/** Up to here content is copied together with its framing, for one system call instead of three. */
const copiedBytes = 32 * 1024;

/** Content under the chunked coding; an empty piece would read as the end, so it becomes nothing. */
export function encodeChunk(content: Uint8Array): Uint8Array[] {
  if (content.length === 0) return [];
  const parts = [Buffer.from(`${content.length.toString(16)}\r\n`), content, chunkEnd];
  return content.length > copiedBytes ? parts : [Buffer.concat(parts)];
}
