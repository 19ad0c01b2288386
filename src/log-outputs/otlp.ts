import * as z from "zod";
import { defineLogOutput } from "../contracts.ts";
import { httpShape } from "./_http-options.ts";

const options = z.strictObject({
  ...httpShape(
    "http://collector:4318",
    "The receiver's address; `/v1/logs` is added where it has no path of its own.",
    "gzip",
  ),
  resource: z
    .record(z.string().min(1), z.string())
    .default({})
    .describe(
      "Attributes of every resource, as `service.name: shop`. The entry's `fields` are attributes as well: `app`, `pod`, `namespace`, `node` and the like under their names of the semantic conventions.",
    ),
  format: z.enum(["protobuf", "json"]).default("protobuf").describe("What requests are written in."),
});

/** One resource for each file, so that receivers know where lines come from. */
export default defineLogOutput({
  name: "otlp",
  doc: "Sends lines by OTLP over HTTP, to an OpenTelemetry collector or to what takes its requests. Parsed fields become body, attributes, severity and ids of the trace; `log.file.path` names the file.",
  config: options,
  explain: ({ url }) => `by OTLP to ${url}`,
  async create(config, context) {
    const { HttpSender } = await import("./_http-sender.ts");
    const { wrappedBatch } = await import("./_http-output.ts");
    const { OtlpJson, OtlpProtobuf } = await import("./_otlp-encoding.ts");
    const { OtlpOutput } = await import("./_otlp-output.ts");
    const { Stamps } = await import("./_stamps.ts");
    const { withPath } = await import("./_http-url.ts");
    const mended = context.metrics.counter("outrigger_log_output_mended_lines_total", { output: context.name });
    const { resource, format } = config;
    const stamps = new Stamps();
    const Encoding = format === "json" ? OtlpJson : OtlpProtobuf;
    const encoding = new Encoding({ resource, stamps, onMended: () => mended.add(1) });
    const type = format === "json" ? "application/json" : "application/x-protobuf";
    return new OtlpOutput(
      await HttpSender.open(config, context),
      {
        url: withPath(config.url, "/v1/logs"),
        headers: [["Content-Type", type]],
        encode: (batch, wallMs) => encoding.encode(batch, wallMs),
        batch: wrappedBatch,
      },
      context,
    );
  },
});
