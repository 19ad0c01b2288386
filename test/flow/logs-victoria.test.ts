/** Outputs over HTTP against an engine that none of us wrote. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import type { LogOutputDefinition } from "../../src/contracts.ts";
import { logOutputs } from "../../src/registry.gen.ts";
import { blockOf, OutputRun, recordBlock, testSource } from "../kit/output-run.ts";
import { hasVictoriaLogs, VictoriaLogs } from "../kit/victoria-logs.ts";

const names = "_time_field=@timestamp&_msg_field=message&_stream_fields=app";

/** By the name of the test: the output, where it sends to, options, and what the field `app` is called there. */
const cases = [
  // Unlike Loki it looks for no snappy inside gzip.
  ["loki in protocol buffers", "loki", "/insert/loki/api/v1/push", { compress: "none" }, "app"],
  ["loki in JSON", "loki", "/insert/loki/api/v1/push", { format: "json" }, "app"],
  ["otlp in protocol buffers", "otlp", "/insert/opentelemetry/v1/logs", {}, "service.name"],
  ["otlp with zstd", "otlp", "/insert/opentelemetry/v1/logs", { compress: "zstd" }, "service.name"],
  ["elasticsearch", "elasticsearch", `/insert/elasticsearch/?${names}`, {}, "app"],
  ["http in JSON lines", "http", `/insert/jsonline?${names}`, { format: "ndjson", compress: "gzip" }, "app"],
] as const;

describe.skipIf(!hasVictoriaLogs)("VictoriaLogs stores what comes by", () => {
  let engine: VictoriaLogs;

  beforeAll(async () => {
    engine = await VictoriaLogs.start();
  });

  afterAll(() => engine.stop());

  async function deliver(at: number, options: object, name: keyof typeof logOutputs): Promise<string> {
    const { default: definition } = await logOutputs[name]!();
    const app = `app-${at}`;
    const source = { ...testSource, id: app, fields: { app } };
    const time = BigInt(Date.now() - 60_000) * 1_000_000n + 5n;
    const run = await OutputRun.open(definition as LogOutputDefinition, options);
    const lines = Array.from({ length: 3_000 }, (_, i) => `line ${i} ä "quoted" \\ ${"x".repeat(i % 200)}`);
    const blocks = [
      blockOf("", 0, source),
      blockOf(Buffer.from(`${lines.join("\n")}\n`).toString("latin1"), 0, source),
    ];
    const records = recordBlock([{ text: "timed", time }, { text: "joined\nlines" }], source);
    expect(await run.deliver(...blocks, records)).toEqual({ outcome: "delivered" });
    await run.close();
    return app;
  }

  test.each(cases)("%s", async (title, name, path, options, field) => {
    const at = cases.findIndex((one) => one[0] === title);
    const app = await deliver(at, { url: `${engine.url}${path}`, ...options }, name);
    const rows = await engine.find(`"${field}":="${app}"`, 3_002);
    expect(rows.length).toBe(3_002);
    const lines = rows.map((row) => row._msg);
    const expected = Array.from({ length: 3_000 }, (_, i) => `line ${i} ä "quoted" \\ ${"x".repeat(i % 200)}`);
    expect(lines.toSorted()).toEqual(["timed", "joined\nlines", ...expected].toSorted());
    // The one with a time of its own, a minute ago; the others a nanosecond apart where the format has room for that.
    expect(rows[0]!._msg).toBe("timed");
    expect(rows[0]!._time).toEndWith("000005Z");
    if (name === "loki" || name === "otlp") expect(lines.slice(1, 3_001)).toEqual(expected);
  });
});
