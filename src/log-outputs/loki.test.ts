import { afterEach, describe, expect, test } from "bun:test";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { HttpOutputRun, sourceOf } from "../../test/kit/http-output-run.ts";
import { plainOf, pushedIn } from "../../test/kit/loki-sink.ts";
import { batchOf, recordBlock } from "../../test/kit/output-run.ts";
import type { Block } from "../contracts.ts";
import { plainBlock } from "../logs/plain-block.ts";
import loki from "./loki.ts";

const run = new HttpOutputRun(loki);
afterEach(() => run.stop());

const base = 1_700_000_000_123_000_000n;

async function pushed(options: object, ...batches: Block[][]) {
  run.wall = 1_700_000_000_123;
  const output = await run.open(options);
  for (const blocks of batches) expect(await output.deliver(batchOf(...blocks))).toEqual({ outcome: "delivered" });
  return run.sink.requests.flatMap(pushedIn);
}

const block = (text: string, fields: object = {}, more: object = {}) =>
  plainBlock(sourceOf({ fields: { ...fields }, ...more }), Buffer.from(text));

describe("a push", () => {
  test("is, byte by byte, what other people's encoders make of it", async () => {
    const source = sourceOf({ fields: { pod: "p-1", app: "x" } });
    const records = recordBlock(
      [
        { text: "hello", time: 1_760_000_000_123_456_789n },
        { text: "wörld", time: 1_760_000_001_000_000_000n },
      ],
      source,
    );
    await pushed({}, [records]);
    const [request] = run.sink.requests as [(typeof run.sink.requests)[number]];
    // Made with protobufjs from the same two entries.
    expect(Buffer.from(plainOf(request)).toString("hex")).toBe(
      "0a3e0a147b6170703d2278222c20706f643d22702d31227d12140a0b0880f09dc70610959aef3a120568656c6c6f12100a060881f09dc706120677c3b6726c64",
    );
    expect(request).toMatchObject({ method: "POST", target: "/loki/api/v1/push" });
    expect(request.headers).toMatchObject({ "content-type": "application/x-protobuf", "content-encoding": "gzip" });
    expect(request.headers["x-scope-orgid"]).toBeUndefined();
  });

  test.each(["protobuf", "json"] as const)(
    "in %s has the lines of each source in order, a nanosecond apart",
    async (format) => {
      const a = block("one\r\n\nthree\n", { app: "shop" });
      const b = block("eins\n", { app: "bank", n: 1, on: true, nested: { x: 1 }, empty: "" });
      const c = block("four\n", { app: "shop" });
      expect(await pushed({ format, tenant: "t1" }, [a, b, c])).toEqual([
        {
          labels: { app: "shop" },
          entries: ["one", "", "three", "four"].map((line, i) => ({ line, time: base + BigInt(i), metadata: {} })),
        },
        { labels: { app: "bank", n: "1", on: "true" }, entries: [{ line: "eins", time: base + 4n, metadata: {} }] },
      ]);
      expect(run.sink.requests[0]!.headers["x-scope-orgid"]).toBe("t1");
    },
  );

  test("gives each batch later times than the one before, whatever the clock says", async () => {
    const output = await run.open();
    for (const wall of [1_700_000_000_000, 1_700_000_000_000, 1_600_000_000_000, 1_700_000_000_001]) {
      run.wall = wall;
      await output.deliver(batchOf("a\nb\n"));
    }
    const times = run.sink.requests.flatMap(pushedIn).flatMap(({ entries }) => entries.map(({ time }) => time));
    expect(times).toEqual([0n, 1n, 2n, 3n, 4n, 5n, 1_000_000n, 1_000_001n].map((n) => 1_700_000_000_000_000_000n + n));
  });

  test("that comes again is the same, whatever time it is then", async () => {
    run.sink.answer = (_, index) => ({ status: index < 2 ? 500 : 204 });
    const output = await run.open();
    const batch = batchOf("a\nb\n");
    for (const wall of [1_000, 2_000, 3_000]) {
      run.wall = wall;
      await output.deliver(batch);
    }
    const [first, ...others] = run.sink.requests;
    expect(others.map(({ raw }) => raw.equals(first!.raw))).toEqual([true, true]);
  });

  test("has labels of the options, of the entry and of records, and metadata", async () => {
    const source = sourceOf({ fields: { app: "shop", "app.kubernetes.io/name": "web", pod: "p" } });
    const parsed = recordBlock(
      [
        { text: "x", fields: { level: "warn", trace: { id: "abc" }, msg: "m" } },
        { text: "y", fields: { level: "info", msg: 'n"\\\n' } },
        { text: "z", severity: "error" },
      ],
      source,
    );
    const options = {
      labels: { cluster: 'a"b\\c\nd', app: "mine" },
      fieldLabels: ["app", "app.kubernetes.io/name"],
      recordLabels: ["level"],
      metadata: ["trace.id", "severity", "absent"],
    };
    const labels = { app: "mine", app_kubernetes_io_name: "web", cluster: 'a"b\\c\nd' };
    expect(await pushed(options, [parsed])).toEqual([
      {
        labels: { ...labels, level: "warn" },
        entries: [
          { line: '{"level":"warn","trace":{"id":"abc"},"msg":"m"}', time: base, metadata: { trace_id: "abc" } },
        ],
      },
      {
        labels: { ...labels, level: "info" },
        entries: [{ line: '{"level":"info","msg":"n\\"\\\\\\n"}', time: base + 1n, metadata: {} }],
      },
      { labels, entries: [{ line: "z", time: base + 2n, metadata: { severity: "error" } }] },
    ]);
  });

  test("without a label is called by its entry", async () => {
    expect(await pushed({}, [block("x\n")])).toMatchObject([{ labels: { job: "app" } }]);
  });

  test("of a line that is too long has it as several entries, cut between characters", async () => {
    const long = `${"a".repeat(1023)}ö${"b".repeat(2000)}`;
    const source = sourceOf({ fields: { app: "x" } });
    const timed = recordBlock([{ text: long, time: 5_000_000_007n }], source);
    const [{ entries }] = (await pushed({ maxLine: "1KiB" }, [block(`${long}\nnext\n`, { app: "x" }), timed])) as [
      ReturnType<typeof pushedIn>[number],
    ];
    const parts = ["a".repeat(1023), `ö${"b".repeat(1022)}`, "b".repeat(978)];
    expect(entries.map(({ line }) => line)).toEqual([...parts, "next", ...parts]);
    expect(entries.map(({ time }) => time)).toEqual(
      [0n, 1n, 2n, 3n].map((n) => base + n).concat([5_000_000_007n, 5_000_000_008n, 5_000_000_009n]),
    );
    expect(run.count("outrigger_log_output_split_lines_total")).toBe(2);
  });

  test("has U+FFFD where a line is no UTF-8, which is counted", async () => {
    const bytes = Buffer.from([0x61, 0xff, 0x62, 0x0a, 0x63, 0x0a]);
    const [stream] = await pushed({}, [plainBlock(sourceOf(), bytes)]);
    expect(stream!.entries.map(({ line }) => line)).toEqual(["a\ufffdb", "c"]);
    expect(run.count("outrigger_log_output_mended_lines_total")).toBe(1);
  });

  test("brings any lines there unchanged", async () => {
    const output = await run.open({ compress: "none" });
    const line = fc
      .string({ unit: "grapheme", maxLength: 40 })
      .map((text) => text.replace(/[\r\n]/g, " ").toWellFormed());
    await fc.assert(
      fc.asyncProperty(fc.array(line, { minLength: 1, maxLength: 30 }), async (lines) => {
        await output.deliver(batchOf(block(lines.map((one) => `${one}\n`).join(""))));
        const [stream] = pushedIn(run.sink.requests.at(-1)!);
        expect(stream!.entries.map((entry) => entry.line)).toEqual(lines);
      }),
      { numRuns: 200 },
    );
  });

  test("of many MiB fits together", async () => {
    const lines = Array.from({ length: 20_000 }, (_, i) => `${i} ${"x".repeat(i % 300)}`);
    const streams = await pushed({ compress: "none" }, [block(`${lines.join("\n")}\n`)]);
    expect(streams[0]!.entries.map(({ line }) => line)).toEqual(lines);
  });
});

describe("Loki's answer", () => {
  const too =
    "entry with timestamp 2020-01-01 00:00:00 +0000 UTC ignored, reason: 'entry too far behind', total ignored: 2 out of 3 for stream: {app=\"x\"}";
  test.each([
    [200, "", { outcome: "delivered" }],
    [204, "", { outcome: "delivered" }],
    [201, "", { outcome: "retry" }],
    [260, "blocked", { outcome: "retry", reason: expect.stringContaining("260 Status: blocked") }],
    [401, "no org id", { outcome: "retry", reason: expect.stringContaining("check auth") }],
    [404, "", { outcome: "retry" }],
    [400, too, { outcome: "delivered" }],
    [400, "couldn't parse push request", { outcome: "refused", reason: "400 Status: couldn't parse push request" }],
    [413, "", { outcome: "tooLarge" }],
    [422, "", { outcome: "refused" }],
    [429, "", { outcome: "retry" }],
    [500, "", { outcome: "retry" }],
    [503, "", { outcome: "retry" }],
  ])("%i %s", async (status, body, delivery) => {
    run.sink.answer = () => ({ status, body });
    const output = await run.open();
    expect(await output.deliver(batchOf("x\ny\nz\n"))).toMatchObject(delivery);
  });

  test("that some lines were not stored is told, counted by its reason, and not asked again", async () => {
    run.sink.answer = () => ({ status: 400, body: `${too}, ${too.replace("2 out of 3", "1 out of 4")}` });
    const output = await run.open();
    expect(await output.deliver(batchOf("x\n".repeat(7)))).toEqual({ outcome: "delivered" });
    expect(run.count("outrigger_log_output_ignored_lines_total", { reason: "too_far_behind" })).toBe(3);
    expect(run.events).toMatchObject([{ event: "log_lines_ignored", fields: { output: "test", lines: 3, of: 7 } }]);
  });

  test("to a single line is about that line", async () => {
    run.sink.answer = () => ({ status: 400, body: too });
    const output = await run.open();
    expect((await output.deliver(batchOf("x\n"))).outcome).toBe("refused");
  });
});
