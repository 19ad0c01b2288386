/** Reads HTTP/1.1 messages off a `Wire`, without any of the engine's own code: what a test believes must not be its subject. */
import type { Field } from "../../src/contracts.ts";
import type { Wire } from "./wire.ts";

export class Head {
  /** Request line or status line. */
  readonly start: string;
  readonly fields: readonly Field[];

  constructor(text: string) {
    const [start = "", ...lines] = text.slice(0, -4).split("\r\n");
    this.start = start;
    this.fields = lines.map((line): Field => {
      const colon = line.indexOf(":");
      return [line.slice(0, colon), line.slice(colon + 1).trim()];
    });
  }

  get status(): number {
    return Number(this.start.split(" ")[1]);
  }
  get method(): string {
    return this.start.split(" ")[0] ?? "";
  }
  get target(): string {
    return this.start.split(" ")[1] ?? "";
  }

  /** Values of every line of that name. */
  all(name: string): string[] {
    return this.fields.filter((field) => field[0].toLowerCase() === name).map((field) => field[1]);
  }

  /** The value of the only line of that name; undefined when there is none. */
  field(name: string): string | undefined {
    const values = this.all(name);
    if (values.length > 1) throw new Error(`${name} stands ${values.length} times in ${this.start}`);
    return values[0];
  }
}

export interface Body {
  readonly length: number;
  /** Of the content. */
  readonly sha256: string;
  /** The content; empty when it is larger than a mebibyte. */
  readonly text: string;
  /** Its framing came to its end. A body that ends with the connection is complete when it ended by FIN. */
  readonly complete: boolean;
  readonly trailers: readonly string[];
}

export interface Answer extends Body {
  readonly head: Head;
  /** 1xx answers that came before. */
  readonly informed: readonly Head[];
}

const keptBytes = 1024 * 1024;

class Content {
  length = 0;
  trailers: string[] = [];
  private readonly hasher = new Bun.CryptoHasher("sha256");
  private readonly pieces: Buffer[] = [];

  add(bytes: Buffer): void {
    this.length += bytes.length;
    this.hasher.update(bytes);
    if (this.length <= keptBytes) this.pieces.push(bytes);
  }

  body(complete: boolean): Body {
    const text = this.length <= keptBytes ? Buffer.concat(this.pieces).toString("latin1") : "";
    return { length: this.length, sha256: this.hasher.digest("hex"), text, complete, trailers: this.trailers };
  }
}

/** The next head; undefined when the other side ended before it was complete. */
export async function readHead(wire: Wire): Promise<Head | undefined> {
  const text = await wire.through("\r\n\r\n");
  return text === undefined ? undefined : new Head(text);
}

/** The body of a request. */
export async function readRequestBody(wire: Wire, head: Head): Promise<Body> {
  return readFramed(wire, head, false);
}

/** The next final answer, with its body. @throws when the other side ended before its head */
export async function readAnswer(wire: Wire, method = "GET"): Promise<Answer> {
  const informed: Head[] = [];
  for (;;) {
    const head = await readHead(wire);
    if (head === undefined) throw new Error("the connection ended before the head of an answer");
    if (head.status >= 200) return { head, informed, ...(await readAnswerBody(wire, head, method)) };
    informed.push(head);
  }
}

/** Sends a request and reads its answer. */
export async function ask(wire: Wire, request = "GET / HTTP/1.1\r\nHost: a\r\n\r\n"): Promise<Answer> {
  await wire.send(request);
  return readAnswer(wire, request.split(" ")[0]);
}

async function readAnswerBody(wire: Wire, head: Head, method: string): Promise<Body> {
  if (method === "HEAD" || head.status === 204 || head.status === 304) return new Content().body(true);
  return readFramed(wire, head, true);
}

async function readFramed(wire: Wire, head: Head, untilEnd: boolean): Promise<Body> {
  const content = new Content();
  if (head.field("transfer-encoding") === "chunked") return content.body(await readChunks(wire, content));
  const length = head.field("content-length");
  if (length !== undefined) return content.body(await readExactly(wire, Number(length), content));
  if (!untilEnd) return content.body(true);
  for (let bytes = await wire.some(); bytes !== undefined; bytes = await wire.some()) content.add(bytes);
  return content.body((await wire.ending()) === "fin");
}

/** False when the other side ended before. */
async function readExactly(wire: Wire, length: number, content: Content): Promise<boolean> {
  let left = length;
  while (left > 0) {
    const bytes = await wire.some();
    if (bytes === undefined) return false;
    const mine = bytes.subarray(0, left);
    content.add(mine);
    left -= mine.length;
    wire.unread(bytes.subarray(mine.length));
  }
  return true;
}

async function readChunks(wire: Wire, content: Content): Promise<boolean> {
  for (;;) {
    const line = await wire.through("\r\n");
    if (line === undefined) return false;
    const size = Number.parseInt(line, 16);
    if (Number.isNaN(size)) throw new Error(`not a chunk size: ${JSON.stringify(line)}`);
    if (size === 0) return readTrailers(wire, content);
    if (!(await readExactly(wire, size, content)) || (await wire.through("\r\n")) === undefined) return false;
  }
}

async function readTrailers(wire: Wire, content: Content): Promise<boolean> {
  for (;;) {
    const line = await wire.through("\r\n");
    if (line === undefined) return false;
    if (line === "\r\n") return true;
    content.trailers.push(line.slice(0, -2));
  }
}
