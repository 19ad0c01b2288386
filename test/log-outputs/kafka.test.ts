/** The output `kafka` against Apache Kafka, read back with its own console consumer. */
import { afterAll, describe, expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Block, Delivery, Rejection } from "../../src/contracts.ts";
import kafka from "../../src/log-outputs/kafka.ts";
import { Authority, canMakeCertificates } from "../kit/certificates.ts";
import { hasKafka, Kafka } from "../kit/kafka.ts";
import { blockOf, OutputRun, recordBlock, testSource } from "../kit/output-run.ts";
import { until } from "../kit/until.ts";

const isHere = await hasKafka();
const ends: (() => unknown)[] = [];
afterAll(async () => {
  for (const end of ends.reverse()) await end();
});

async function open(broker: Kafka, topic: string, options: Record<string, unknown> = {}): Promise<OutputRun> {
  const run = await OutputRun.open(kafka, { brokers: [`127.0.0.1:${broker.port}`], topic, timeout: "5s", ...options });
  ends.push(() => run.close());
  return run;
}

const sourceAt = (path: string, fields: Record<string, unknown> = {}) => ({ ...testSource, path, fields });

/** A broker that has just started, or makes a topic first, says for a moment that it is not ready. */
async function arrive(run: OutputRun, ...blocks: Block[]): Promise<void> {
  let last: Delivery | undefined;
  const isThere = async () => {
    last = await run.deliver(...blocks);
    return last.outcome === "delivered";
  };
  await until(isThere, { deadlineMs: 60_000 }).catch(() => expect(last).toEqual({ outcome: "delivered" }));
}

describe.skipIf(!isHere)("Kafka", () => {
  let broker: Kafka;

  test("has each line as a record, those of one file in order in one partition", async () => {
    broker = await Kafka.start({ settings: ["message.max.bytes=60000"] });
    ends.push(() => broker.remove());
    broker.createTopic("lines", 3);
    const run = await open(broker, "lines");
    const paths = ["/logs/a.log", "/logs/b.log", "/logs/c.log", "/logs/d.log"];
    for (let batch = 0; batch < 5; batch++) {
      const blocks = paths.map((path) => {
        const text = Array.from({ length: 50 }, (_, at) => `${batch * 50 + at} gr\u00c3\u00bc\u00c3\u009fe\n`).join("");
        return blockOf(text, batch * 1_000, sourceAt(path));
      });
      await arrive(run, ...blocks);
    }
    const records = broker.consume("lines", 1_000);
    expect(records).toHaveLength(1_000);
    for (const path of paths) {
      const own = records.filter(({ key }) => key === path);
      expect(own.map(({ value }) => value)).toEqual(Array.from({ length: 250 }, (_, at) => `${at} grüße`));
      expect(new Set(own.map(({ partition }) => partition)).size).toBe(1);
    }
  }, 300_000);

  test("in every compression: parsed records, JSON, times", async () => {
    const all = ["none", "gzip", "snappy", "lz4", "zstd"];
    for (const compression of all) {
      const run = await open(broker, "made.of.{fields.app}", { compression, format: "json", key: "{fields.app}" });
      const source = sourceAt("/x", { app: `fields-${compression}` });
      const records = [
        { text: "plain", time: 1_700_000_000_123_456_789n },
        { text: "", fields: { n: 1 } },
      ];
      await arrive(run, recordBlock(records, source), blockOf("raw\n", 0, source));
    }
    await arrive(await open(broker, "made.of.fields-bytes"), blockOf("\u00ff\u0000 no UTF-8\r\n"));
    const consumed = broker.consume("made\\.of\\.fields-.*", 16);
    expect(consumed.find(({ key }) => key === testSource.path)?.bytes).toBe("\u00ff\u0000 no UTF-8");
    for (const compression of all) {
      const key = `fields-${compression}`;
      const [first, second, third] = consumed.filter((record) => record.key === key);
      const app = `"app":"${key}"`;
      const value = `{"time":"2023-11-14T22:13:20.123456789Z","message":"plain",${app}}`;
      expect(first).toEqual({ timestamp: 1_700_000_000_123, partition: 0, key, bytes: value, value });
      expect([second?.value, third?.value]).toEqual([`{${app},"n":1}`, `{"message":"raw",${app}}`]);
    }
  }, 300_000);

  test("what is too large comes back as that, and the next batch is not taken for a repetition", async () => {
    broker.createTopic("sizes", 2);
    const run = await open(broker, "sizes", { compression: "none" });
    const big = `${"x".repeat(70_000)}\n`;
    expect(await run.deliver(big)).toMatchObject({ outcome: "tooLarge", reason: expect.stringMatching(/large/i) });
    // The keys of these two go to different partitions: one batch is written, the other is not.
    const [one, other] = [sourceAt("/logs/a"), sourceAt("/logs/b")];
    const mixed = await run.deliver(blockOf("fits 1\nfits 2\n", 0, one), blockOf(big, 0, other));
    expect(mixed).toMatchObject({ outcome: "retry", only: [2], rejected: [] });
    expect(await run.deliver(blockOf(big, 0, other))).toMatchObject({ outcome: "tooLarge" });
    expect((await run.deliver(blockOf("fits 3\nfits 4\n", 14, one))).outcome).toBe("delivered");
    const values = broker.consume("sizes", 4).map(({ value }) => value);
    expect(values).toEqual(["fits 1", "fits 2", "fits 3", "fits 4"]);
  }, 300_000);

  test("a record the broker refuses is rejected alone, with the broker's words", async () => {
    broker.createTopic("compacted", 1, "cleanup.policy=compact"); // takes no record without a key
    const run = await open(broker, "compacted", { key: "" });
    const [rejection, ...others] = rejectedBy(await run.deliver("no key\n"));
    expect([rejection?.item, others]).toEqual([0, []]);
    expect(rejection?.reason).toMatch(/key/i);
  }, 300_000);

  test("a broker that is away is a retry, and lines arrive once it is back", async () => {
    const run = await open(broker, "away", { timeout: "2s", connectTimeout: "1s" });
    await arrive(run, blockOf("before\n"));
    await broker.stop();
    expect(await run.deliver("meanwhile\n")).toMatchObject({ outcome: "retry", reason: expect.stringMatching(/./) });
    await broker.run();
    await arrive(run, blockOf("meanwhile\n"));
    // A try whose answer was lost may have been written as well, behind these.
    const values = broker.consume("away", 2, 60_000).map(({ value }) => value);
    expect(values).toEqual(["before", "meanwhile"]);
  }, 300_000);
});

test.skipIf(!isHere || !canMakeCertificates)(
  "Kafka with TLS and a password; a wrong one is a retry that says so",
  async () => {
    const authority = new Authority();
    ends.push(() => authority.remove());
    const { cert, key } = authority.issue({ names: "IP:127.0.0.1,DNS:localhost" });
    const store = join(authority.folder, "store.pem");
    writeFileSync(store, `${readFileSync(key, "latin1")}${readFileSync(cert, "latin1")}`);
    const jaas = 'org.apache.kafka.common.security.plain.PlainLoginModule required user_shop="p4ss";';
    const broker = await Kafka.start({
      protocol: "SASL_SSL",
      settings: [
        "sasl.enabled.mechanisms=PLAIN",
        `listener.name.client.plain.sasl.jaas.config=${jaas}`,
        "listener.name.client.ssl.keystore.type=PEM",
        `listener.name.client.ssl.keystore.location=${store}`,
      ],
    });
    ends.push(() => broker.remove());
    const tls = { ca: authority.ca };
    const sasl = { mechanism: "plain", username: "shop", password: "p4ss" };
    const run = await open(broker, "secret", { tls, sasl });
    await arrive(run, blockOf("over TLS\n"));
    expect(broker.consume("secret", 1).map(({ value }) => value)).toEqual(["over TLS"]);

    const wrong = await open(broker, "secret", { tls, sasl: { ...sasl, password: "no" } });
    expect(await wrong.deliver("a\n")).toMatchObject({ outcome: "retry", reason: expect.stringMatching(/auth/i) });
    const stranger = await open(broker, "secret", { tls: {}, sasl });
    expect(await stranger.deliver("a\n")).toMatchObject({
      outcome: "retry",
      reason: expect.stringMatching(/certificate/i),
    });
  },
  180_000,
);

function rejectedBy(delivery: Delivery): readonly Rejection[] {
  return (delivery.outcome === "delivered" && delivery.rejected) || [];
}
