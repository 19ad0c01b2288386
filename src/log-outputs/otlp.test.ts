import { afterEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { HttpOutputRun, sourceOf } from "../../test/kit/http-output-run.ts";
import { encoded, type SentLogs, sentIn } from "../../test/kit/otlp-sink.ts";
import { batchOf, blockOf, recordBlock } from "../../test/kit/output-run.ts";
import type { Block } from "../contracts.ts";
import { plainBlock } from "../logs/plain-block.ts";
import otlp from "./otlp.ts";

const run = new HttpOutputRun(otlp);
afterEach(() => run.stop());

const observed = (n: number) => String(1_700_000_000_123_000_000n + BigInt(n));
const path = { "log.file.path": "/logs/app.log" };

async function sent(options: object, ...blocks: Block[]): Promise<SentLogs[]> {
  run.wall = 1_700_000_000_123;
  const output = await run.open(options);
  expect(await output.deliver(batchOf(...blocks))).toEqual({ outcome: "delivered" });
  return sentIn(run.sink.requests.at(-1)!);
}

describe.each(["protobuf", "json"] as const)("a request in %s", (format) => {
  test("has the lines of each file in order, with its resource", async () => {
    const shop = sourceOf({
      fields: { app: "shop", pod: "p-1", namespace: "n", node: "w", label_tier: "web", pod_ip: "10.0.0.1", n: 1 },
    });
    const bank = sourceOf({ path: "/b.log", input: "bank" });
    const blocks = [blockOf("one\r\n\nthree\n", 0, shop), blockOf("eins\n", 0, bank), blockOf("four\n", 12, shop)];
    expect(await sent({ format, resource: { "deployment.environment.name": "test" } }, ...blocks)).toEqual([
      {
        resource: {
          "service.name": "shop",
          "k8s.pod.name": "p-1",
          "k8s.namespace.name": "n",
          "k8s.node.name": "w",
          "k8s.pod.label.tier": "web",
          "k8s.pod.ip": "10.0.0.1",
          n: 1n,
          "deployment.environment.name": "test",
        },
        scope: "outrigger",
        records: ["one", "", "three", "four"].map((body, i) => ({ observed: observed(i), body, attributes: path })),
      },
      {
        resource: { "service.name": "bank", "deployment.environment.name": "test" },
        scope: "outrigger",
        records: [{ observed: observed(4), body: "eins", attributes: { "log.file.path": "/b.log" } }],
      },
    ]);
    expect(run.sink.requests[0]).toMatchObject({ method: "POST", target: "/v1/logs" });
    expect(run.sink.requests[0]!.headers["content-encoding"]).toBe("gzip");
  });

  test("has what was parsed where the data model has a place for it", async () => {
    const traceId = "5b8efff798038103d269b633813fc60c";
    const fields = { msg: "hello", trace_id: traceId.toUpperCase(), span_id: "eee19b7ec3c1b174", trace_flags: "01" };
    const values = {
      text: "ä",
      yes: true,
      no: false,
      whole: -5,
      big: 2 ** 53 - 1,
      half: 0.5,
      nothing: null,
      list: [1, [], "x"],
    };
    const block = recordBlock([
      { fields: { ...fields, ...values, deep: { er: { a: 1 } } }, time: 1_699_999_999_000_000_001n, severity: "warn" },
      { fields: { a: 1, trace_id: "0".repeat(32) }, severity: "info" },
      { text: "two\nlines", time: 7n },
      { fields: {} },
    ]);
    const [{ records }] = (await sent({ format }, block)) as [SentLogs];
    const whole = { whole: -5n, big: 2n ** 53n - 1n, list: [1n, [], "x"], deep: { er: { a: 1n } } };
    expect(records).toEqual([
      {
        time: "1699999999000000001",
        observed: observed(0),
        severity: [13, "WARN"],
        body: "hello",
        attributes: { ...values, ...whole, ...path },
        traceId,
        spanId: "eee19b7ec3c1b174",
        flags: 1,
      },
      { observed: observed(1), severity: [9, "INFO"], body: { a: 1n, trace_id: "0".repeat(32) }, attributes: path },
      { time: "7", observed: observed(2), body: "two\nlines", attributes: path },
      { observed: observed(3), body: {}, attributes: path },
    ]);
  });

  test("has U+FFFD where a line is no UTF-8, which is counted", async () => {
    const [logs] = await sent({ format }, plainBlock(sourceOf(), Buffer.from([0x61, 0xff, 0x0a, 0x01, 0x22, 0x0a])));
    expect(logs!.records.map(({ body }) => body)).toEqual(["a\ufffd", '\u0001"']);
    expect(run.count("outrigger_log_output_mended_lines_total")).toBe(1);
  });

  test("brings any lines and any fields there unchanged", async () => {
    const output = await run.open({ format, compress: "none" });
    const text = fc
      .string({ unit: "grapheme", maxLength: 200 })
      .map((one) => one.replace(/[\r\n]/g, " ").toWellFormed());
    const value = fc.oneof(
      text,
      fc.boolean(),
      fc.integer().map(BigInt),
      fc.double({ noInteger: true, noNaN: true, noDefaultInfinity: true }),
    );
    const given = fc.record({
      lines: fc.array(text, { minLength: 1, maxLength: 20 }),
      map: fc.dictionary(text, value, { noNullPrototype: true }),
    });
    await fc.assert(
      fc.asyncProperty(given, async ({ lines, map }) => {
        const inner = Object.fromEntries(
          Object.entries(map).map(([key, one]) => [key, typeof one === "bigint" ? Number(one) : one]),
        );
        const raw = plainBlock(sourceOf(), Buffer.from(lines.map((line) => `${line}\n`).join("")));
        const block = recordBlock([{ fields: { inner } }], raw.source);
        await output.deliver(batchOf(raw, block));
        const records = sentIn(run.sink.requests.at(-1)!).flatMap((logs) => logs.records);
        expect(records.map(({ body }) => body)).toEqual([...lines, { inner: map }]);
      }),
      { numRuns: 150 },
    );
  });

  test("comes again the same", async () => {
    run.sink.answer = (_, index) => ({ status: index === 0 ? 503 : 200 });
    const output = await run.open({ format });
    const batch = batchOf("a\nb\n");
    for (const wall of [1_000, 2_000]) {
      run.wall = wall;
      await output.deliver(batch);
    }
    expect(run.sink.requests[1]!.raw.equals(run.sink.requests[0]!.raw)).toBe(true);
  });
});

test("a value that is nested too deeply is text from there on", async () => {
  let deep: unknown = "end";
  for (let i = 0; i < 500; i++) deep = i % 2 === 0 ? [deep] : { deep };
  const [logs] = await sent({}, recordBlock([{ fields: { message: "m", deep } }]));
  expect(JSON.stringify(logs!.records[0]!.attributes.deep)).toContain('\\"end\\"');
});

test("a file whose fields change between two batches is told anew", async () => {
  const fields: Record<string, string> = { service: "a" };
  const source = sourceOf({ fields });
  expect((await sent({}, blockOf("x\n", 0, source)))[0]!.resource).toEqual({ "service.name": "a" });
  fields.service = "b";
  expect((await sent({}, blockOf("x\n", 0, source)))[0]!.resource).toEqual({ "service.name": "b" });
});

describe("a receiver's answer", () => {
  const json = { "Content-Type": "application/json; charset=utf-8" };
  const proto = { "Content-Type": "application/x-protobuf" };
  const partial = (rejected: number, errorMessage: string) => ({
    partialSuccess: { rejectedLogRecords: String(rejected), errorMessage },
  });

  test.each([
    [200, {}, "", { outcome: "delivered" }],
    [200, json, "{}", { outcome: "delivered" }],
    [200, json, "not json", { outcome: "delivered" }],
    [429, { "Retry-After": "3" }, "", { outcome: "retry", afterMs: 3_000 }],
    [502, {}, "", { outcome: "retry" }],
    [503, {}, "", { outcome: "retry" }],
    [504, {}, "", { outcome: "retry" }],
    [500, {}, "broken", { outcome: "refused", reason: "500 Status: broken" }],
    [501, {}, "", { outcome: "refused" }],
    [
      400,
      json,
      JSON.stringify({ code: 3, message: "no such field" }),
      { outcome: "refused", reason: "400 Status: no such field" },
    ],
    [
      400,
      proto,
      encoded("Status", { code: 3, message: "wrong wire type" }),
      { outcome: "refused", reason: "400 Status: wrong wire type" },
    ],
    [408, {}, "", { outcome: "refused" }],
    [413, {}, "", { outcome: "tooLarge" }],
    [401, {}, "", { outcome: "retry", reason: expect.stringContaining("check auth") }],
    [404, {}, "", { outcome: "retry", reason: expect.stringContaining("check url") }],
  ])("%i %j %s", async (status, headers, body, delivery) => {
    run.sink.answer = () => ({ status, headers, body });
    const output = await run.open();
    expect(await output.deliver(batchOf("x\ny\n"))).toMatchObject(delivery);
  });

  test.each([
    ["JSON", json, JSON.stringify(partial(2, "too old"))],
    [
      "protocol buffers",
      proto,
      encoded("Response", { partialSuccess: { rejectedLogRecords: 2, errorMessage: "too old" } }),
    ],
  ])("that some records were rejected, in %s, is counted and told, and never asked again", async (_, headers, body) => {
    run.sink.answer = () => ({ status: 200, headers, body });
    const output = await run.open();
    expect(await output.deliver(batchOf("x\ny\nz\n"))).toEqual({ outcome: "delivered" });
    expect(run.count("outrigger_log_output_ignored_lines_total", { reason: "partial_success" })).toBe(2);
    expect(run.events).toEqual([
      { event: "log_lines_ignored", fields: { output: "test", lines: 2, of: 3, reason: "too old" } },
    ]);
  });

  test("that nothing was rejected and a message is a warning", async () => {
    run.sink.answer = () => ({ status: 200, headers: json, body: JSON.stringify(partial(0, "use a newer version")) });
    const output = await run.open();
    expect(await output.deliver(batchOf("x\n"))).toEqual({ outcome: "delivered" });
    expect(run.count("outrigger_log_output_ignored_lines_total", { reason: "partial_success" })).toBe(0);
    expect(run.events).toEqual([
      { event: "log_destination_warns", fields: { output: "test", warning: "use a newer version" } },
    ]);
  });
});
