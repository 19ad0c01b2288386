import * as z from "zod";
import { type Peer, peer } from "../config/peer.ts";
import { duration, option, text } from "../config/scalars.ts";
import { clientTlsSchema, toClientTls } from "../config/tls-options.ts";
import { defineLogOutput } from "../contracts.ts";

const mechanisms = { plain: "PLAIN", "scram-sha-256": "SCRAM-SHA-256", "scram-sha-512": "SCRAM-SHA-512" } as const;

function saslSchema() {
  return z.strictObject({
    mechanism: option(
      z.enum(["plain", "scram-sha-256", "scram-sha-512"]),
      "How the password is shown or proven.",
    ).prefault("scram-sha-512"),
    username: option(text("name", "shop"), "The user.", { required: true }),
    password: option(text("password", '"${file:/secrets/password}"'), "Its password; a reference, not the text.", {
      required: true,
    }),
  });
}

const options = z.strictObject({
  brokers: option(z.array(peer(9092)).min(1), "Brokers to ask for the others; the port is 9092 unless given.", {
    required: true,
  }),
  topic: option(z.string().min(1), "Where records go. May have the places of `file`'s path.", { required: true }),
  key: option(
    z.string(),
    "The key of records, with places likewise: those of one key go to one partition and stay in order there.",
  ).prefault("{path}"),
  format: option(
    z.enum(["text", "json"]),
    "`text`: lines as they were written, parsed records as JSON. `json`: each line as one JSON object, its text as `message` beside the entry's fields.",
  ).prefault("text"),
  compression: option(z.enum(["none", "gzip", "snappy", "lz4", "zstd"]), "Of each batch.").prefault("zstd"),
  clientId: option(z.string().min(1), "The name brokers know us by.").prefault("outrigger"),
  tls: option(clientTlsSchema(), "Speak TLS; `{}` trusts the machine's CAs.").optional(),
  sasl: option(saslSchema(), "Who we are.").optional(),
  connectTimeout: option(duration(1), "For connecting to a broker.").prefault("10s"),
  timeout: option(duration(1), "How long brokers may take over a batch.").prefault("30s"),
});

/** Sends records to Kafka; the engine is `_kafka-producer`. */
export default defineLogOutput({
  name: "kafka",
  doc: "Sends each line as a record to Kafka, and counts it as delivered once all replicas in sync have it (acks=all, idempotent).",
  config: options,
  explain: ({ brokers, topic, key, compression }) =>
    `to Kafka (${brokers.map(placeOf).join(", ")}), topic ${topic}${key === "" ? "" : `, in order for each ${key}`}, ${compression === "none" ? "not compressed" : compression}`,
  async create({ brokers, topic, key, format, compression, clientId, tls, sasl, connectTimeout, timeout }, context) {
    const { KafkaProducer } = await import("./_kafka-producer.ts");
    const given = {
      brokers: brokers.map(placeOf),
      clientId,
      topic,
      key,
      format,
      compression,
      tls: tls && toClientTls(tls),
      sasl: sasl && { ...sasl, mechanism: mechanisms[sasl.mechanism] },
      connectMs: connectTimeout,
      timeoutMs: timeout,
    };
    return new KafkaProducer(given, context);
  },
});

function placeOf({ host, port }: Peer): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}
