import * as z from "zod";
import { defineLogOutput } from "../contracts.ts";
import { fieldNames, httpShape, lineSize } from "./_http-options.ts";

const label = z.string().regex(/^[a-zA-Z_][a-zA-Z0-9_]*$/, "must be letters, digits and underscores, no digit first");

const options = z.strictObject({
  ...httpShape(
    "http://loki:3100",
    "Loki's address; `/loki/api/v1/push` is added where it has no path of its own.",
    "gzip",
  ),
  tenant: z
    .string()
    .regex(/^[A-Za-z0-9!_.*'()-]{1,150}$/, "must be up to 150 letters, digits or one of !-_.*'()")
    .optional()
    .describe("The tenant (`X-Scope-OrgID`), where Loki has several."),
  labels: z
    .record(label, z.string().min(1))
    .default({})
    .describe("Labels of every stream, as `name: value`. A stream without any label gets `job`, the entry's name."),
  fieldLabels: fieldNames()
    .optional()
    .describe(
      "Which of the entry's `fields` become labels. Default: all that are a text, a number or true and false. Loki takes 15 labels.",
    ),
  recordLabels: fieldNames()
    .default([])
    .describe(
      "Parsed fields that become labels, such as `level`. Each value makes a stream of its own: name none with many.",
    ),
  metadata: fieldNames()
    .default([])
    .describe("Parsed fields that go along as structured metadata, such as `trace_id`."),
  maxLine: lineSize("256KiB").describe(
    "Longest line Loki takes (`max_line_size`). A longer one becomes several entries, one behind the other.",
  ),
  format: z.enum(["protobuf", "json"]).default("protobuf").describe("What requests are written in."),
});

/** One stream for each set of labels, in order. */
export default defineLogOutput({
  name: "loki",
  doc: "Pushes lines to Loki, or to what takes its push requests (VictoriaLogs takes protocol buffers with `compress: none` only). Lines without a parsed time get that of their batch, one nanosecond apart, the same in every retry, so that Loki stores none twice.",
  config: options,
  explain: ({ url, tenant }) => `to Loki at ${url}${tenant === undefined ? "" : `, tenant ${tenant}`}`,
  async create(config, context) {
    const { HttpSender } = await import("./_http-sender.ts");
    const { wrappedBatch } = await import("./_http-output.ts");
    const { LokiJson, LokiProtobuf } = await import("./_loki-encoding.ts");
    const { LokiOutput } = await import("./_loki-output.ts");
    const { Stamps } = await import("./_stamps.ts");
    const { withPath } = await import("./_http-url.ts");
    const { tenant, labels, fieldLabels, recordLabels, metadata, maxLine, format } = config;
    const output = { output: context.name };
    const mended = context.metrics.counter("outrigger_log_output_mended_lines_total", output);
    const split = context.metrics.counter("outrigger_log_output_split_lines_total", output);
    const stamps = new Stamps();
    const Encoding = format === "json" ? LokiJson : LokiProtobuf;
    const encoding = new Encoding({
      fixed: labels,
      ofSource: fieldLabels,
      ofRecord: recordLabels,
      metadata,
      maxLine,
      stamps,
      onMended: () => mended.add(1),
      onSplit: () => split.add(1),
    });
    const type = format === "json" ? "application/json" : "application/x-protobuf";
    const tenancy = tenant === undefined ? [] : [["X-Scope-OrgID", tenant] as const];
    return new LokiOutput(
      await HttpSender.open(config, context),
      {
        url: withPath(config.url, "/loki/api/v1/push"),
        headers: [["Content-Type", type], ...tenancy],
        encode: (batch, wallMs) => encoding.encode(batch, wallMs),
        batch: wrappedBatch,
      },
      context,
    );
  },
});
