/**
 * The Fluent forward protocol, version 1, as its client (github.com/fluent/fluentd/wiki/Forward-Protocol-Specification-v1):
 *
 *   <- HELO  -> PING  <- PONG            with a shared key
 *   -> [tag, entries, {chunk, size}]     PackedForward, one for each tag of a batch
 *   <- {ack: chunk}                      only then are those lines delivered
 */
import { promisify } from "node:util";
import type { Batch, Delivery, LogOutput, LogOutputContext, LogRecord } from "../contracts.ts";
import { LineRecord, recordsOf } from "../logs/shaping/record.ts";
import { type ByteStream, StreamFault } from "../net/byte-stream.ts";
import { greet, type Login } from "./_forward-login.ts";
import { KeptStream, type KeptStreamOptions } from "./_kept-stream.ts";
import { MsgpackWriter, type Unpacked, unpack } from "./_msgpack.ts";
import { Template } from "./_template.ts";

export interface ForwardOptions extends KeptStreamOptions {
  /** A template. */
  readonly tag: string;
  /** Name of the field that holds a line's text. */
  readonly message: string;
  readonly gzip: boolean;
  readonly login: Login | undefined;
}

/** Lines of one tag, as one message. */
interface Chunk {
  readonly id: string;
  readonly items: readonly number[];
  readonly bytes: Uint8Array;
}

interface Group {
  readonly entries: MsgpackWriter;
  readonly items: number[];
  readonly hasher: Bun.CryptoHasher;
}

const newline = 10;

export class ForwardSender implements LogOutput {
  private readonly options: ForwardOptions;
  private readonly context: LogOutputContext;
  private readonly tag: Template;
  private readonly kept: KeptStream;
  private answers: AnswerReader | undefined;
  private keepsAlive = true;

  constructor(options: ForwardOptions, context: LogOutputContext) {
    this.options = options;
    this.context = context;
    this.tag = new Template(options.tag, context.clock, (value) => value);
    this.kept = new KeptStream(options, context);
  }

  async deliver(batch: Batch): Promise<Delivery> {
    const chunks = await this.chunksOf(batch);
    if (chunks.length === 0) return { outcome: "delivered" };
    return this.kept.use(
      (stream) => this.greet(stream),
      (stream) => this.send(stream, chunks),
    );
  }

  async close(): Promise<void> {
    this.kept.drop();
  }

  private async greet(stream: ByteStream): Promise<void> {
    const answers = new AnswerReader(stream);
    this.answers = answers;
    const { login } = this.options;
    this.keepsAlive = login === undefined || (await greet(stream, () => answers.next(), login));
  }

  /** Returns what was not acknowledged as a retry of those lines alone. */
  private async send(stream: ByteStream, chunks: readonly Chunk[]): Promise<Delivery> {
    const open = new Map(chunks.map((chunk) => [chunk.id, chunk]));
    try {
      for (const { bytes } of chunks) await stream.write(bytes);
      while (open.size > 0) {
        const id = ackOf(await this.answers!.next());
        if (!open.delete(id)) throw new StreamFault("acknowledged something that was not sent");
      }
    } catch (error) {
      this.kept.drop();
      const reason = `${this.kept.name} ${error instanceof Error ? error.message : String(error)}`;
      const only = [...open.values()].flatMap(({ items }) => items).sort((a, b) => a - b);
      return { outcome: "retry", reason, only };
    }
    if (!this.keepsAlive) this.kept.drop();
    return { outcome: "delivered" };
  }

  private async chunksOf({ blocks }: Batch): Promise<Chunk[]> {
    const groups = new Map<string, Group>();
    const now = BigInt(Math.floor(this.context.clock.wall())) * 1_000_000n;
    let item = 0;
    for (const block of blocks) {
      const group = groupOf(groups, this.tag.of(block.source));
      group.hasher.update(`${block.source.id} ${block.start} ${block.end}\n`);
      for (const record of recordsOf(block)) {
        this.entry(group.entries, record, now);
        group.items.push(item++);
      }
    }
    const filled = [...groups].filter(([, { items }]) => items.length > 0);
    return Promise.all(filled.map(([tag, group]) => this.chunkOf(tag, group)));
  }

  private entry(out: MsgpackWriter, record: LogRecord, now: bigint): void {
    out.array(2);
    out.eventTime(record.time ?? now);
    if (record.fields === undefined) this.textRecord(out, record);
    else out.value({ ...record.source.fields, ...record.fields });
  }

  private textRecord(out: MsgpackWriter, record: LogRecord): void {
    const { message } = this.options;
    const { [message]: _, ...others } = record.source.fields;
    const beside = Object.entries(record.severity === undefined ? others : { severity: record.severity, ...others });
    out.map(beside.length + 1);
    out.text(message);
    const unchanged = record instanceof LineRecord ? record.unchanged : undefined;
    if (unchanged === undefined) out.text(record.text);
    else out.line(unchanged);
    for (const [name, value] of beside) {
      out.text(name);
      out.value(value);
    }
  }

  /** The same lines have the same id, also when they come again after a restart. */
  private async chunkOf(tag: string, { entries, items, hasher }: Group): Promise<Chunk> {
    const id = hasher.update(`${tag}\n${items.length}`).digest("base64");
    const out = new MsgpackWriter(entries.length + 256);
    out.array(3);
    out.text(tag);
    out.binary(this.options.gzip ? await packed(entries.bytes) : entries.bytes);
    out.value({ chunk: id, size: items.length, ...(this.options.gzip ? { compressed: "gzip" } : {}) });
    return { id, items, bytes: out.bytes };
  }
}

function groupOf(groups: Map<string, Group>, tag: string): Group {
  const known = groups.get(tag);
  if (known !== undefined) return known;
  const made = { entries: new MsgpackWriter(), items: [], hasher: new Bun.CryptoHasher("md5") };
  groups.set(tag, made);
  return made;
}

async function packed(bytes: Uint8Array): Promise<Uint8Array> {
  const { gzip } = await import("node:zlib");
  return promisify<Uint8Array, { level: number }, Uint8Array>(gzip)(bytes, { level: 1 });
}

function ackOf(answer: Unpacked): string {
  const id = answer instanceof Map ? answer.get("ack") : undefined;
  if (Buffer.isBuffer(id)) return id.toString("latin1");
  const isHello = Array.isArray(answer) && Buffer.isBuffer(answer[0]) && answer[0].toString() === "HELO";
  throw new StreamFault(isHello ? "asks for a shared key" : "does not acknowledge as the forward protocol has it");
}

/** The values a receiver sends, one after the other. */
class AnswerReader {
  private readonly stream: ByteStream;
  private unread = Buffer.alloc(0);

  constructor(stream: ByteStream) {
    this.stream = stream;
  }

  async next(): Promise<Unpacked> {
    for (;;) {
      const found = this.unread.length === 0 ? undefined : this.unpack();
      if (found !== undefined) return found;
      this.unread = Buffer.concat([this.unread, await this.stream.read()]);
    }
  }

  private unpack(): Unpacked | undefined {
    // Some receivers end an answer with a newline, which is no value of theirs.
    if (this.unread[0] === newline) this.unread = this.unread.subarray(1);
    try {
      const found = unpack(this.unread);
      if (found === undefined) return undefined;
      this.unread = this.unread.subarray(found.end);
      return found.value;
    } catch (error) {
      throw new StreamFault(`does not speak the forward protocol (${error instanceof Error ? error.message : error})`);
    }
  }
}
