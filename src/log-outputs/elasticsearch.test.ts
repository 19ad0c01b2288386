import { afterEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { type BulkItem, bulkAnswer, type ItemResult, itemsIn } from "../../test/kit/bulk-sink.ts";
import { HttpOutputRun, sourceOf } from "../../test/kit/http-output-run.ts";
import { batchOf, blockOf, recordBlock } from "../../test/kit/output-run.ts";
import type { Block } from "../contracts.ts";
import { plainBlock } from "../logs/plain-block.ts";
import elasticsearch from "./elasticsearch.ts";

const run = new HttpOutputRun(elasticsearch);
afterEach(() => run.stop());

const now = "2023-11-14T22:13:20.123Z";
const ok = bulkAnswer([]);

async function stored(options: object, ...blocks: Block[]): Promise<BulkItem[]> {
  run.wall = Date.parse(now);
  run.sink.answer = () => ok;
  const output = await run.open(options);
  expect(await output.deliver(batchOf(...blocks))).toEqual({ outcome: "delivered" });
  return itemsIn(run.sink.requests.at(-1)!);
}

const documents = async (options: object, ...blocks: Block[]) =>
  (await stored(options, ...blocks)).map((item) => item.document);

describe("a request", () => {
  test("is, byte by byte, what Elasticsearch documents", async () => {
    await stored({ index: "logs-{app}-default" }, blockOf("hello\n", 12_345, sourceOf({ fields: { app: "shop" } })));
    const [request] = run.sink.requests as [(typeof run.sink.requests)[number]];
    // sha256("s1"), its first 15 bytes
    const hash = new Bun.CryptoHasher("sha256").update("s1").digest().subarray(0, 15).toString("base64url");
    expect(request.body.toString()).toBe(
      `{"create":{"_index":"logs-shop-default","_id":"${hash}-12345"}}\n{"@timestamp":"${now}","app":"shop","message":"hello"}\n`,
    );
    expect(request.target).toBe("/_bulk?filter_path=errors%2Citems.*.status%2Citems.*.error");
    expect(request.headers["content-encoding"]).toBe("gzip");
  });

  test("wraps lines that are no objects, and lets those that are pass as they are", async () => {
    const fields = { app: "shop", level: "none", nested: { a: 1 } };
    const lines = [
      'plain "quoted" \\ \u0001',
      "",
      '{"level":"info","n":12345678901234567890}',
      ' {"@timestamp":"2020-01-01T00:00:00Z", "app" : "mine","nested":[],"level":1} ',
      "{}",
      "{not json}",
      '{"\\u0061pp":"escaped"}',
      "[1]",
    ];
    await stored({ ids: false }, blockOf(`${lines.join("\n")}\n`, 0, sourceOf({ fields })));
    const sent = run.sink.requests[0]!.body.toString()
      .split("\n")
      .filter((_, at) => at % 2 === 1);
    const stamp = `"@timestamp":"${now}"`;
    const all = `${stamp},"app":"shop","level":"none","nested":{"a":1}`;
    expect(sent).toEqual([
      `{${all},"message":"plain \\"quoted\\" \\\\ \\u0001"}`,
      `{${all},"message":""}`,
      `{${stamp},"app":"shop","nested":{"a":1},"level":"info","n":12345678901234567890}`,
      `{"@timestamp":"2020-01-01T00:00:00Z", "app" : "mine","nested":[],"level":1}`,
      `{${all}}`,
      `{${all},"message":"{not json}"}`,
      `{${stamp},"app":"escaped","level":"none","nested":{"a":1}}`,
      `{${all},"message":"[1]"}`,
    ]);
    expect(itemsIn(run.sink.requests[0]!).map(({ id, index }) => [id, index])).toEqual(
      lines.map(() => [undefined, "logs-outrigger-default"]),
    );
  });

  test("has parsed fields, times and severities of records", async () => {
    const source = sourceOf({ fields: { app: "shop" } });
    const block = recordBlock(
      [
        { fields: { msg: "m", app: "mine" }, time: 1_700_000_000_123_456_789n, severity: "warn" },
        { fields: { level: "W", "@timestamp": "x" }, severity: "warn" },
        { text: "two\nlines", time: 1_700_000_000_000_000_000n },
        { text: '{"a":1,"@timestamp":"old"}', time: 0n },
        { text: '{\n"a":1}' },
      ],
      source,
    );
    expect(await documents({ messageField: "event", pathField: "log.file.path" }, block)).toEqual([
      {
        "@timestamp": "2023-11-14T22:13:20.123456789Z",
        app: "mine",
        msg: "m",
        level: "warn",
        "log.file.path": "/logs/app.log",
      },
      { "@timestamp": "x", app: "shop", level: "W", "log.file.path": "/logs/app.log" },
      { "@timestamp": "2023-11-14T22:13:20.000Z", app: "shop", event: "two\nlines", "log.file.path": "/logs/app.log" },
      { "@timestamp": "1970-01-01T00:00:00.000Z", app: "shop", a: 1, "log.file.path": "/logs/app.log" },
      { "@timestamp": now, app: "shop", event: '{\n"a":1}', "log.file.path": "/logs/app.log" },
    ]);
  });

  test("gives each line an id of its own, the same whenever it is read", async () => {
    const other = sourceOf({ id: "s2" });
    const ids = async (...blocks: Block[]) => (await stored({}, ...blocks)).map(({ id }) => id);
    const [whole, parts] = [
      await ids(blockOf("a\nb\nc\n", 7), blockOf("a\n", 7, other)),
      await ids(blockOf("a\n", 7), blockOf("b\nc\n", 9), blockOf("a\n", 7, other)),
    ];
    expect(parts).toEqual(whole);
    expect(new Set(whole).size).toBe(4);
  });

  test("asks a block whose lines were decoded where they stand", async () => {
    const decoded = {
      ...plainBlock(sourceOf(), Buffer.from("ä\nb\n"), 10, 18),
      markAt: (place: number) => ({ offset: 10 + place * 2 }),
    };
    expect((await stored({}, decoded)).map(({ id }) => id!.split("-").at(-1))).toEqual(["10", "16"]);
  });

  test("goes to indices by fields and by the day a record was written", async () => {
    const source = sourceOf({ fields: { App: "My Shop/1" } });
    const block = recordBlock([{ fields: { team: "a" }, time: 0n }, { fields: {} }, { text: "t" }], source);
    const index = "{App}-{team}-{%Y.%m.%d}";
    expect((await stored({ index }, block, blockOf("x\n", 0, source))).map((item) => item.index)).toEqual([
      "my-shop-1-a-1970.01.01",
      "my-shop-1-unknown-2023.11.14",
      "my-shop-1-unknown-2023.11.14",
      "my-shop-1-unknown-2023.11.14",
    ]);
  });

  test("keeps prefix and query of the address, and says who we are", async () => {
    await stored({ url: `${run.sink.url}/es/?pipeline=p`, auth: { apiKey: "a2V5" } }, blockOf("x\n"));
    const [{ target, headers }] = run.sink.requests as [(typeof run.sink.requests)[number]];
    expect(target).toStartWith("/es/_bulk?pipeline=p&filter_path=");
    expect(headers.authorization).toBe("ApiKey a2V5");
  });

  test("brings any lines there", async () => {
    run.sink.answer = () => ok;
    const output = await run.open({ compress: "none" });
    const text = fc
      .string({ unit: "grapheme", maxLength: 60 })
      .map((one) => one.replace(/[\r\n]/g, " ").toWellFormed());
    const object = fc.dictionary(text, fc.jsonValue(), { noNullPrototype: true });
    const line = fc.oneof(
      text,
      object.map((one) => JSON.stringify(one)).filter((one) => one.isWellFormed()),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 20 }), async (lines) => {
        await output.deliver(batchOf(plainBlock(sourceOf(), Buffer.from(lines.map((one) => `${one}\n`).join("")))));
        const items = itemsIn(run.sink.requests.at(-1)!);
        const expected = lines.map((one) => ({ "@timestamp": "1970-01-01T00:00:00.000Z", ...asObject(one) }));
        expect(items.map(({ document }) => document)).toEqual(expected);
      }),
      { numRuns: 200 },
    );
  });
});

function asObject(line: string): object {
  try {
    const value: unknown = JSON.parse(line);
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  } catch {}
  return { message: line };
}

describe("an answer", () => {
  const error = (type: string, reason = "why") => ({ type, reason });
  const deliver = async (...results: ItemResult[]) => {
    run.sink.answer = () => bulkAnswer(results);
    const output = await run.open();
    return output.deliver(batchOf("x\n".repeat(results.length)));
  };

  test("is taken item by item", async () => {
    expect(await deliver({ status: 201 }, { status: 201 })).toEqual({ outcome: "delivered" });
    expect(await deliver({ status: 201 }, { status: 409, error: error("version_conflict_engine_exception") })).toEqual({
      outcome: "delivered",
    });
    expect(run.count("outrigger_log_output_known_lines_total")).toBe(1);
    const parsing = { status: 400, error: error("document_parsing_exception", "failed to parse field [n]") };
    expect(await deliver({ status: 201 }, parsing)).toEqual({
      outcome: "delivered",
      rejected: [{ item: 1, reason: "400 document_parsing_exception: failed to parse field [n]" }],
    });
    const busy = { status: 429, error: error("es_rejected_execution_exception") };
    const full = { status: 403, error: error("cluster_block_exception") };
    expect(await deliver(busy, { status: 201 }, parsing, { status: 503 }, full, { status: 409 })).toEqual({
      outcome: "retry",
      reason: "429 es_rejected_execution_exception: why",
      cause: "throttled",
      only: [0, 3, 4],
      rejected: [{ item: 2, reason: "400 document_parsing_exception: failed to parse field [n]" }],
    });
  });

  test("that is too long to be read is asked for in halves, not for ever", async () => {
    const results = Array.from({ length: 180_000 }, () => ({ status: 201 }));
    const answer = bulkAnswer([...results, { status: 409 }]);
    run.sink.answer = () => answer;
    const output = await run.open();
    expect(await output.deliver(batchOf("x\n".repeat(180_001)))).toMatchObject({ outcome: "tooLarge" });
    expect(output.batch?.lines).toBeLessThan(100_000);
  });

  test.each([
    [200, '{"errors":false}', { outcome: "delivered" }],
    [200, "<html>", { outcome: "retry", reason: expect.stringContaining("none of _bulk") }],
    [200, '{"errors":true,"items":[]}', { outcome: "retry" }],
    [200, '{"took":1}', { outcome: "retry" }],
    [400, "malformed action", { outcome: "refused", reason: "400 Status: malformed action" }],
    [401, "", { outcome: "retry", reason: expect.stringContaining("check auth") }],
    [403, "", { outcome: "retry" }],
    [404, "", { outcome: "retry", reason: expect.stringContaining("check url") }],
    [413, "", { outcome: "tooLarge" }],
    [429, "", { outcome: "retry" }],
    [500, "", { outcome: "retry" }],
    [503, "", { outcome: "retry" }],
  ])("%i %s", async (status, body, delivery) => {
    run.sink.answer = () => ({ status, body });
    const output = await run.open();
    expect(await output.deliver(batchOf("x\ny\n"))).toMatchObject(delivery);
  });
});
