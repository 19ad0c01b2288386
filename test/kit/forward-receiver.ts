/**
 * A strict receiver of the Fluent forward protocol. It reads with another MessagePack library than ours, takes nothing
 * that is not exactly a PackedForward message with `chunk` and `size`, and checks the handshake digest by digest.
 */
import { createHash } from "node:crypto";
import { gunzipSync } from "node:zlib";
import { Decoder, ExtensionCodec, encode } from "@msgpack/msgpack";
import type { TLSOptions } from "bun";
import { ByteServer, type Visit } from "./byte-server.ts";

export interface ReceivedEntry {
  readonly tag: string;
  readonly time: bigint;
  readonly record: Record<string, unknown>;
}

export interface ForwardReceiverOptions {
  readonly tls?: TLSOptions;
  readonly sharedKey?: string;
  readonly user?: { readonly name: string; readonly password: string };
  readonly keepalive?: boolean;
  /** What is sent for a chunk; undefined for nothing. Default: its acknowledgement. */
  answer?(chunk: string, visit: Visit): Uint8Array | undefined;
  onOpen?(visit: Visit): void;
}

const codec = new ExtensionCodec();
codec.register({
  type: 0,
  encode: () => null,
  decode(data) {
    if (data.length !== 8) throw new Error("an EventTime has eight bytes");
    const bytes = Buffer.from(data);
    return BigInt(bytes.readUInt32BE(0)) * 1_000_000_000n + BigInt(bytes.readUInt32BE(4));
  },
});
const decoder = () => new Decoder({ extensionCodec: codec });

const sha512 = (...parts: (string | Uint8Array)[]) => {
  const hash = createHash("sha512");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

export const ackOf = (chunk: string) => encode({ ack: chunk });

export class ForwardReceiver {
  readonly server: ByteServer;
  readonly entries: ReceivedEntry[] = [];
  readonly chunks: string[] = [];
  readonly compressed: boolean[] = [];
  readonly faults: string[] = [];
  private readonly options: ForwardReceiverOptions;
  private readonly known = new Set<Visit>();
  private readonly nonce = Buffer.from("a nonce of 16 by");
  private readonly auth: Buffer;

  constructor(options: ForwardReceiverOptions = {}) {
    this.options = options;
    this.auth = Buffer.from(options.user === undefined ? "" : "an auth salt");
    this.server = new ByteServer({
      ...(options.tls === undefined ? {} : { tls: options.tls }),
      onOpen: (visit) => this.hello(visit),
      onData: (visit) => this.read(visit),
    });
  }

  private hello(visit: Visit): void {
    this.options.onOpen?.(visit);
    const { sharedKey, keepalive = true } = this.options;
    if (sharedKey !== undefined) visit.say(encode(["HELO", { nonce: this.nonce, auth: this.auth, keepalive }]));
  }

  private read(visit: Visit): void {
    // Whole values only: what remains waits for more.
    for (;;) {
      const end = wholeValue(visit.received);
      if (end === undefined) return;
      const bytes = visit.take(end);
      try {
        this.take(decoder().decode(bytes), visit);
      } catch (error) {
        this.faults.push(String(error));
      }
    }
  }

  private take(value: unknown, visit: Visit): void {
    if (!Array.isArray(value)) throw new Error("a message is an array");
    if (this.options.sharedKey !== undefined && !this.known.has(visit)) this.login(value, visit);
    else this.message(value, visit);
  }

  private message(value: unknown[], visit: Visit): void {
    const [tag, entries, options, ...more] = value;
    if (typeof tag !== "string" || !(entries instanceof Uint8Array) || more.length > 0)
      throw new Error("no PackedForward");
    const { chunk, size, compressed } = options as { chunk?: unknown; size?: unknown; compressed?: unknown };
    if (typeof chunk !== "string" || Buffer.from(chunk, "base64").length !== 16) throw new Error("no chunk");
    this.compressed.push(compressed === "gzip");
    const found = [...decoder().decodeMulti(compressed === "gzip" ? gunzipSync(entries) : entries)];
    if (found.length !== size) throw new Error(`${found.length} entries, but size ${size}`);
    for (const entry of found) this.entries.push(entryOf(tag, entry));
    this.chunks.push(chunk);
    const said = this.options.answer === undefined ? ackOf(chunk) : this.options.answer(chunk, visit);
    if (said !== undefined) visit.say(said);
  }

  private login(value: unknown[], visit: Visit): void {
    const [word, hostname, salt, digest, user, password] = value as [
      string,
      string,
      Uint8Array,
      string,
      string,
      string,
    ];
    if (word !== "PING" || value.length !== 6 || salt.length !== 16) throw new Error("no PING");
    const { sharedKey = "", user: wanted } = this.options;
    const knowsKey = digest === sha512(salt, hostname, this.nonce, sharedKey);
    const isUser = wanted === undefined ? user === "" && password === "" : this.isUser(wanted, user, password);
    const isTaken = knowsKey && isUser;
    if (isTaken) this.known.add(visit);
    const reason = knowsKey ? "username/password mismatch" : "shared_key mismatch";
    const proof = isTaken ? sha512(salt, "receiver", this.nonce, sharedKey) : "";
    visit.say(encode(["PONG", isTaken, isTaken ? "" : reason, "receiver", proof]));
  }

  private isUser(wanted: { name: string; password: string }, user: string, password: string): boolean {
    return user === wanted.name && password === sha512(this.auth, wanted.name, wanted.password);
  }
}

function entryOf(tag: string, entry: unknown): ReceivedEntry {
  if (!Array.isArray(entry) || entry.length !== 2 || typeof entry[0] !== "bigint") throw new Error("no entry");
  return { tag, time: entry[0], record: entry[1] as Record<string, unknown> };
}

/** Length of the first value when all of it is there: that of the shortest piece the library can read. */
function wholeValue(bytes: Buffer): number | undefined {
  if (!isWhole(bytes)) return undefined;
  let [low, high] = [1, bytes.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (isWhole(bytes.subarray(0, middle))) high = middle;
    else low = middle + 1;
  }
  return low;
}

function isWhole(bytes: Buffer): boolean {
  if (bytes.length === 0) return false;
  try {
    decoder().decodeMulti(bytes).next();
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}
