/**
 * Records to Kafka, by a client library. Each batch is one `send`; its records go to partitions we choose, so that what
 * a broker says of a partition can be said of lines.
 *
 * After any failure the producer is made anew: its count of sequence numbers cannot be trusted then (the library does
 * not advance it for partitions that succeeded beside one that failed), and a broker would take the next batch for a
 * repetition and drop it.
 */
import { compatibilityPartitioner, Producer, type ProducerOptions } from "@platformatic/kafka";
import type { Batch, Delivery, LogOutput, LogOutputContext, LogRecord, LogSource } from "../contracts.ts";
import { recordsOf } from "../logs/shaping/record.ts";
import { ClientTls, type ClientTlsFiles } from "../net/client-tls.ts";
import { type LineFormat, recordBytes } from "./_json-lines.ts";
import { type PartitionItems, verdictOf } from "./_kafka-verdict.ts";
import { Template } from "./_template.ts";

export interface KafkaOptions {
  /** `host:port` */
  readonly brokers: readonly string[];
  readonly clientId: string;
  /** Templates. */
  readonly topic: string;
  readonly key: string;
  readonly format: LineFormat;
  readonly compression: "none" | "gzip" | "snappy" | "lz4" | "zstd";
  readonly tls: ClientTlsFiles | undefined;
  readonly sasl:
    | {
        readonly mechanism: "PLAIN" | "SCRAM-SHA-256" | "SCRAM-SHA-512";
        readonly username: string;
        readonly password: string;
      }
    | undefined;
  readonly connectMs: number;
  readonly timeoutMs: number;
}

type BytesProducer = Producer<Buffer, Buffer, Buffer, Buffer>;

interface Message {
  readonly topic: string;
  readonly partition: number;
  readonly key?: Buffer;
  readonly value: Buffer;
  readonly timestamp: bigint;
}

interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer | undefined;
}

/** Kafka keeps it for 249 characters of these. */
const topicName = /[^A-Za-z0-9._-]/g;

export class KafkaProducer implements LogOutput {
  private readonly options: KafkaOptions;
  private readonly context: LogOutputContext;
  private readonly topic: Template;
  private readonly key: Template;
  private producer: BytesProducer | undefined;
  /** Batches so far, for lines without a key. */
  private turn = 0;

  constructor(options: KafkaOptions, context: LogOutputContext) {
    this.options = options;
    this.context = context;
    this.topic = new Template(options.topic, context.clock, (value) => value.replace(topicName, "_").slice(0, 200));
    this.key = new Template(options.key, context.clock, (value) => value);
  }

  async deliver(batch: Batch): Promise<Delivery> {
    const parts = new Map<string, PartitionItems & { items: number[] }>();
    this.turn++;
    try {
      this.producer ??= this.connect();
      const messages = await this.messagesOf(batch, this.producer, parts);
      if (messages.length > 0) await this.withinTime(this.producer.send({ messages }));
      return { outcome: "delivered" };
    } catch (error) {
      await this.leave();
      return verdictOf(error, [...parts.values()]);
    }
  }

  async close(): Promise<void> {
    await this.leave();
  }

  private connect(): BytesProducer {
    const { brokers, clientId, compression, connectMs, timeoutMs, sasl, tls } = this.options;
    const options: ProducerOptions<Buffer, Buffer, Buffer, Buffer> = {
      clientId,
      bootstrapBrokers: [...brokers],
      connectTimeout: connectMs,
      requestTimeout: timeoutMs,
      timeout: timeoutMs,
      idempotent: true,
      compression,
      // The queue repeats a batch, with its own pauses and its own account of what is left.
      retries: false,
      repeatOnStaleMetadata: false,
      strict: false,
      ...(sasl === undefined ? {} : { sasl }),
      ...(tls === undefined ? {} : this.security(tls)),
    };
    const producer = new Producer<Buffer, Buffer, Buffer, Buffer>(options);
    producer.on("error", () => {}); // the send that is under way is told as well
    return producer;
  }

  private security(files: ClientTlsFiles): { tls: object; tlsServerName: string | boolean } {
    const { ca, cert, key, rejectUnauthorized } = ClientTls.read(files, "", []).options;
    return { tls: { ca, cert, key, rejectUnauthorized }, tlsServerName: files.serverName ?? false };
  }

  private async messagesOf(
    { blocks }: Batch,
    producer: BytesProducer,
    parts: Map<string, PartitionItems & { items: number[] }>,
  ): Promise<Message[]> {
    const counts = await this.partitions(producer, new Set(blocks.map(({ source }) => this.topic.of(source))));
    const now = BigInt(Math.floor(this.context.clock.wall()));
    const messages: Message[] = [];
    let item = 0;
    for (const block of blocks) {
      const topic = this.topic.of(block.source);
      const key = this.keyOf(block.source);
      const partition = this.placeOf(topic, key) % counts.get(topic)!;
      const name = `${partition} ${topic}`;
      const part = parts.get(name) ?? { topic, partition, items: [] };
      parts.set(name, part);
      for (const record of recordsOf(block)) {
        messages.push(this.message(record, { topic, partition, key }, now));
        part.items.push(item++);
      }
    }
    return messages;
  }

  private keyOf(source: LogSource): Buffer | undefined {
    const key = this.key.of(source);
    return key === "" ? undefined : Buffer.from(key);
  }

  /** As Java's producer places keys; without a key a batch stays together, and the next goes elsewhere. */
  private placeOf(topic: string, key: Buffer | undefined): number {
    return key === undefined ? this.turn : compatibilityPartitioner({ topic, key, value: key }, key);
  }

  private message(record: LogRecord, where: Place, now: bigint): Message {
    const { key, ...place } = where;
    const value = recordBytes(record, this.options.format);
    return {
      ...place,
      ...(key === undefined ? {} : { key }),
      value,
      timestamp: record.time === undefined ? now : record.time / 1_000_000n,
    };
  }

  /** How many partitions each topic has. */
  private async partitions(producer: BytesProducer, topics: ReadonlySet<string>): Promise<Map<string, number>> {
    const metadata = await this.withinTime(producer.metadata({ topics: [...topics], autocreateTopics: true }));
    return new Map([...topics].map((topic) => [topic, metadata.topics.get(topic)?.partitionsCount ?? 1]));
  }

  /** The library's own time limits do not cover every wait. */
  private withinTime<T>(work: Promise<T>): Promise<T> {
    const { connectMs, timeoutMs } = this.options;
    const { signal } = this.context;
    const limitMs = connectMs + timeoutMs;
    return new Promise((resolve, reject) => {
      const stop = () => settle(() => reject(new Error("was given up on")));
      const timer = setTimeout(() => settle(() => reject(new Error(`no answer within ${limitMs} ms`))), limitMs);
      const settle = (how: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener("abort", stop);
        how();
      };
      signal.addEventListener("abort", stop);
      work.then(
        (value) => settle(() => resolve(value)),
        (error) => settle(() => reject(error)),
      );
    });
  }

  private async leave(): Promise<void> {
    const { producer } = this;
    this.producer = undefined;
    // It may still be busy with what we gave up on.
    if (producer !== undefined) await Promise.resolve(producer.close(true)).catch(() => {});
  }
}
