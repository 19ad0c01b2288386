/**
 * A destination of lines over HTTP that takes, refuses, stalls and breaks off by a seeded schedule. It reads requests
 * by a parser of its own and accepts nothing that is not exactly what a client should send.
 */
import type { Socket, TCPSocketListener } from "bun";
import { type Seeded, seeded } from "../kit/random.ts";

/** A batch that was answered with 2xx. */
export interface Accepted {
  /** Which collector sent it, counted from 0. */
  readonly life: number;
  /** Unix milliseconds of the answer. */
  readonly at: number;
  /** When the same collector's next request with other lines began: until then, the answer may have been under way. */
  knownAt?: number;
  readonly body: Uint8Array;
}

const outcomes = [
  "ok",
  "slow",
  "busy",
  "unavailable",
  "error",
  "large",
  "hang",
  "cut head",
  "cut body",
  "cut answer",
  "half answer",
] as const;
export type Outcome = (typeof outcomes)[number];

interface Waiting {
  readonly life: number;
  /** When the request that is read now began. Unix milliseconds. */
  since: number;
  bytes: Buffer;
  outcome: Outcome | undefined;
  open: boolean;
}

type Connection = Socket<Waiting>;

const maximumHeadBytes = 8_192;
const headEnd = "\r\n\r\n";

export class Sink {
  readonly accepted: Accepted[] = [];
  readonly counts = new Map<Outcome, number>();
  /** Batches that were taken, and sent again by the same collector at once. */
  again = 0;
  /** What was wrong with a request. */
  readonly faults: string[] = [];
  /** The collector that sends now. */
  life = 0;
  /** Share of requests that are not simply taken; 0 takes everything. */
  failing: number;
  private readonly random: Seeded;
  private readonly server: TCPSocketListener<Waiting>;

  constructor(seed: number, failing: number) {
    this.random = seeded(seed);
    this.failing = failing;
    this.server = Bun.listen<Waiting>({
      hostname: "127.0.0.1",
      port: 0,
      socket: {
        open: (socket) => {
          socket.data = { life: this.life, since: 0, bytes: Buffer.alloc(0), outcome: undefined, open: true };
        },
        data: (socket, bytes) => {
          if (socket.data.bytes.length === 0) socket.data.since = Date.now();
          socket.data.bytes = Buffer.concat([socket.data.bytes, bytes]);
          this.read(socket);
        },
        close: ({ data }) => {
          data.open = false;
        },
        error: ({ data }) => {
          data.open = false;
        },
      },
    });
  }

  get url(): string {
    return `http://127.0.0.1:${this.server.port}/ingest`;
  }

  stop(): void {
    this.server.stop(true);
  }

  private read(socket: Connection): void {
    const { data } = socket;
    const end = data.bytes.indexOf(headEnd);
    if (end < 0) {
      if (data.bytes.length > maximumHeadBytes) this.fault(socket, "a head without an end");
      return;
    }
    const length = this.lengthOf(socket, data.bytes.toString("latin1", 0, end));
    if (length === undefined) return;
    data.outcome ??= this.choose();
    const body = data.bytes.subarray(end + headEnd.length);
    if (data.outcome === "cut head" || (data.outcome === "cut body" && body.length >= length / 2)) {
      this.cut(socket);
      return;
    }
    if (body.length < length) return;
    if (body.length > length) {
      this.fault(socket, `${body.length - length} bytes after the body`);
      return;
    }
    this.noteKnown(data, body);
    this.answer(socket, data.outcome, new Uint8Array(body));
    data.bytes = Buffer.alloc(0);
    data.outcome = undefined;
  }

  /** The length of the body; undefined when the head is not one that may be sent. */
  private lengthOf(socket: Connection, head: string): number | undefined {
    const [start, ...fields] = head.split("\r\n");
    if (start !== "POST /ingest HTTP/1.1") return this.fault(socket, `request line ${start}`);
    const wrong = fields.find((field) => !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+: [!-~]([ -~]*[!-~])?$/.test(field));
    if (wrong !== undefined) return this.fault(socket, `field ${wrong}`);
    const valuesOf = (name: string) =>
      fields
        .filter((field) => field.toLowerCase().startsWith(`${name}: `))
        .map((field) => field.slice(name.length + 2));
    if (valuesOf("host").join() !== this.url.split("/")[2])
      return this.fault(socket, `host ${valuesOf("host").join()}`);
    if (valuesOf("transfer-encoding").length > 0) return this.fault(socket, "a length that is known, and chunks");
    const length = valuesOf("content-length");
    if (length.length !== 1 || !/^[1-9]\d*$/.test(length[0]!)) return this.fault(socket, `length ${length.join()}`);
    return Number(length[0]);
  }

  /** A client that sends other lines has read the answer to those before; one that gave up sends the same again. */
  private noteKnown({ life, since }: Waiting, body: Uint8Array): void {
    const last = this.accepted.at(-1);
    if (last === undefined || last.life !== life || last.knownAt !== undefined) return;
    const length = Math.min(last.body.indexOf(10), body.length);
    if (Buffer.compare(last.body.subarray(0, length), body.subarray(0, length)) !== 0) last.knownAt = since;
  }

  private choose(): Outcome {
    const outcome = this.random.chance(this.failing) ? this.random.pick(outcomes) : "ok";
    this.counts.set(outcome, (this.counts.get(outcome) ?? 0) + 1);
    return outcome;
  }

  private answer(socket: Connection, outcome: Outcome, body: Uint8Array): void {
    const waiting = socket.data;
    if (outcome === "ok") this.accept(socket, body);
    else if (outcome === "slow") {
      setTimeout(() => waiting.open && this.accept(socket, body), 50 + this.random.whole(300));
    } else if (outcome === "busy") this.say(socket, "429 Too Many Requests", [`retry-after: ${this.random.whole(2)}`]);
    else if (outcome === "unavailable") this.say(socket, "503 Service Unavailable");
    else if (outcome === "error") this.say(socket, "500 Internal Server Error");
    else if (outcome === "large") this.answerLarge(socket, body);
    else if (outcome === "half answer" || outcome === "cut answer") {
      if (outcome === "half answer") socket.write("HTTP/1.1 200 O");
      this.cut(socket);
    }
  }

  /** Of a single line nothing smaller can be made: that would be a refusal for good. */
  private answerLarge(socket: Connection, body: Uint8Array): void {
    if (body.indexOf(10) < body.length - 1) this.say(socket, "413 Content Too Large");
    else this.accept(socket, body);
  }

  private accept(socket: Connection, body: Uint8Array): void {
    const { life } = socket.data;
    const last = this.accepted.at(-1);
    // The answer came too late for a client that had given up: the batch comes again, and that is no fault of order.
    const isAgain = last !== undefined && last.life === life && Buffer.compare(last.body, body) === 0;
    if (isAgain) this.again++;
    else this.accepted.push({ life, at: Date.now(), body });
    this.say(socket, this.random.chance(0.5) ? "200 OK" : "202 Accepted");
  }

  private say(socket: Connection, status: string, fields: readonly string[] = []): void {
    socket.write(`HTTP/1.1 ${[status, "content-length: 0", ...fields].join("\r\n")}${headEnd}`);
  }

  private cut(socket: Connection): void {
    socket.data.open = false;
    socket.terminate();
  }

  private fault(socket: Connection, what: string): undefined {
    this.faults.push(what);
    this.cut(socket);
    return undefined;
  }
}
