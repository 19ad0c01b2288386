/**
 * A second reading of HTTP/1.1, written apart from the engine's and as narrow as RFC 9112 allows a sender to be:
 * what the engine sends on must be these messages and nothing else. Bytes stand as Latin-1 characters.
 */

export type StrictField = readonly [name: string, value: string];

export interface StrictMessage {
  /** All of it, as it came. */
  readonly raw: string;
  /** Without its CRLF. */
  readonly line: string;
  readonly fields: readonly StrictField[];
  /** The content, decoded. */
  readonly body: string;
  readonly trailers: readonly StrictField[];
}

export interface StrictReading {
  readonly messages: readonly StrictMessage[];
  /** What follows the last whole message: the beginning of one, or something malformed. */
  readonly rest: string;
  /** Why `rest` can never become a message; undefined when it may. */
  readonly fault: string | undefined;
}

type Reading = Omit<StrictMessage, "raw">;

class Fault extends Error {}
/** More bytes are needed. */
const incomplete = Symbol("incomplete");

const requestLine = /^[\w!#$%&'*+.^`|~-]+ (?:\/[!-"$-~]*|\*) HTTP\/1\.1$/;
const receivedLine = /^[\w!#$%&'*+.^`|~-]+ (?:\/[!-"$-~]*|\*|http:\/\/[!-"$-~]+) HTTP\/1\.[01]$/i;
const statusLine = /^HTTP\/1\.1 [1-9]\d\d (?:[\t -~\x80-\xff]*)$/;
const receivedStatusLine = /^HTTP\/1\.[01] [1-9]\d\d(?: [\t -~\x80-\xff]*)?$/;
const fieldLine = /^([\w!#$%&'*+.^`|~-]+):[ \t]*((?:[!-~\x80-\xff](?:[\t -~\x80-\xff]*[!-~\x80-\xff])?)?)[ \t]*$/;

const lineEnd = /[\r\n]/g;

class Cursor {
  position = 0;
  readonly text: string;
  /** What a recipient has to understand counts as well. */
  readonly receives: boolean;
  constructor(text: string, receives: boolean) {
    this.text = text;
    this.receives = receives;
  }

  /** The next line without its CRLF, which is the only line end there is. */
  line(): string {
    lineEnd.lastIndex = this.position;
    const found = lineEnd.exec(this.text);
    if (found === null) {
      if (/[^\t -~\x80-\xff]/.test(this.text.slice(this.position))) throw new Fault("control character");
      throw incomplete;
    }
    const end = found.index;
    if (this.text.slice(end, end + 2) === "\r") throw incomplete;
    if (this.text.slice(end, end + 2) !== "\r\n") throw new Fault("a line end that is not CRLF");
    const line = this.text.slice(this.position, end);
    this.position = end + 2;
    return line;
  }

  take(count: number): string {
    if (this.text.length - this.position < count) throw incomplete;
    this.position += count;
    return this.text.slice(this.position - count, this.position);
  }

  fields(): StrictField[] {
    const fields: StrictField[] = [];
    for (let line = this.line(); line !== ""; line = this.line()) {
      const match = fieldLine.exec(line);
      if (match === null) throw new Fault(`malformed field ${JSON.stringify(line)}`);
      fields.push([match[1]!, match[2]!]);
    }
    return fields;
  }

  chunks(): string {
    let body = "";
    const sizeLine = this.receives ? /^[0-9A-Fa-f]{1,12}(?:;[\t -~\x80-\xff]*)?$/ : /^[0-9A-Fa-f]{1,12}$/;
    for (;;) {
      const size = this.line();
      if (!sizeLine.test(size)) throw new Fault(`malformed chunk size ${JSON.stringify(size)}`);
      const count = Number.parseInt(size, 16);
      if (count === 0) return body;
      body += this.take(count);
      if (this.take(1) !== "\r" || this.take(1) !== "\n") throw new Fault("a chunk that does not end with CRLF");
    }
  }
}

/** Every value of a field. */
export function valuesOf(message: Pick<StrictMessage, "fields">, name: string): string[] {
  return message.fields.filter((field) => field[0].toLowerCase() === name).map((field) => field[1]);
}

/** The declared length, `chunked`, or undefined when nothing is declared. */
function framing(fields: readonly StrictField[]): number | "chunked" | undefined {
  const lengths = valuesOf({ fields }, "content-length");
  const codings = valuesOf({ fields }, "transfer-encoding");
  if (lengths.length + codings.length > 1) throw new Fault("framed more than once");
  if (codings.length === 1) {
    if (codings[0]!.toLowerCase() !== "chunked") throw new Fault(`transfer coding ${codings[0]}`);
    return "chunked";
  }
  if (lengths.length === 0) return undefined;
  if (!/^\d{1,15}$/.test(lengths[0]!)) throw new Fault(`length ${lengths[0]}`);
  return Number(lengths[0]);
}

function readRequest(cursor: Cursor): Reading {
  const line = cursor.line();
  if (!(cursor.receives ? receivedLine : requestLine).test(line))
    throw new Fault(`malformed request line ${JSON.stringify(line)}`);
  const fields = cursor.fields();
  const old = line.endsWith("HTTP/1.0");
  const hosts = valuesOf({ fields }, "host");
  if (hosts.length !== 1 && !(old && hosts.length === 0)) throw new Fault("not exactly one Host");
  if (hosts.some((host) => !/^[^\s/?#@\\]+$/.test(host))) throw new Fault("a malformed Host");
  if (old && framing(fields) === "chunked") throw new Fault("chunked in HTTP/1.0");
  return { line, fields, ...readBody(cursor, framing(fields) ?? 0) };
}

function readBody(cursor: Cursor, length: number | "chunked"): { body: string; trailers: StrictField[] } {
  if (length !== "chunked") return { body: cursor.take(length), trailers: [] };
  return { body: cursor.chunks(), trailers: cursor.fields() };
}

function readAnswer(cursor: Cursor, method: string, closed: boolean): Reading {
  const line = cursor.line();
  if (!(cursor.receives ? receivedStatusLine : statusLine).test(line))
    throw new Fault(`malformed status line ${JSON.stringify(line)}`);
  const fields = cursor.fields();
  const status = Number(line.slice(9, 12));
  const length = framing(fields);
  const bodiless = status < 200 || status === 204;
  if (bodiless && length !== undefined && !cursor.receives) throw new Fault(`${status} with a length`);
  if (length === "chunked" && line.startsWith("HTTP/1.0")) throw new Fault("chunked in HTTP/1.0");
  if (bodiless || status === 304 || method === "HEAD") return { line, fields, body: "", trailers: [] };
  if (length !== undefined) return { line, fields, ...readBody(cursor, length) };
  if (!closed) throw incomplete; // it ends with the connection
  return { line, fields, body: cursor.take(cursor.text.length - cursor.position), trailers: [] };
}

function readAll(text: string, receives: boolean, next: (cursor: Cursor) => Reading): StrictReading {
  const cursor = new Cursor(text, receives);
  const messages: StrictMessage[] = [];
  let start = 0;
  try {
    while (cursor.position < text.length) {
      // Between two requests a recipient ignores one empty line (RFC 9112 section 2.2).
      if (receives && next === readRequest && start > 0 && text.startsWith("\r\n", start)) start = cursor.position += 2;
      const reading = next(cursor);
      messages.push({ ...reading, raw: text.slice(start, cursor.position) });
      start = cursor.position;
    }
    return { messages, rest: "", fault: undefined };
  } catch (error) {
    if (error === incomplete) return { messages, rest: text.slice(start), fault: undefined };
    if (error instanceof Fault) return { messages, rest: text.slice(start), fault: error.message };
    throw error;
  }
}

/** Reads requests, one after the other, as far as they are whole. */
export function strictRequests(text: string): StrictReading {
  return readAll(text, false, readRequest);
}

/** The same for what a client sent: HTTP/1.0, whole URLs, chunk extensions and one empty line between two are good there. */
export function clientRequests(text: string): StrictReading {
  return readAll(text, true, readRequest);
}

/**
 * Reads answers, informational ones included.
 * @param methods of the requests in their order; GET where there are fewer
 * @param closed whether the connection is over, which ends an answer that declares no length
 */
export function strictAnswers(text: string, methods: readonly string[] = [], closed = false): StrictReading {
  return readAnswers(text, methods, closed, false);
}

/** The same for what an upstream sent: HTTP/1.0, a status alone and lengths that mean nothing are good there. */
export function upstreamAnswers(text: string, methods: readonly string[] = [], closed = false): StrictReading {
  return readAnswers(text, methods, closed, true);
}

function readAnswers(text: string, methods: readonly string[], closed: boolean, receives: boolean): StrictReading {
  let final = 0;
  return readAll(text, receives, (cursor) => {
    const message = readAnswer(cursor, methods[final] ?? "GET", closed);
    if (!/^HTTP\/1\.[01] 1/.test(message.line)) final++;
    return message;
  });
}

export function statusOf(message: StrictMessage): number {
  return Number(message.line.slice(9, 12));
}
