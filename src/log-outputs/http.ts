import * as z from "zod";
import { defineLogOutput } from "../contracts.ts";
import { documentShape, httpShape } from "./_http-options.ts";

const types = { text: "text/plain", ndjson: "application/x-ndjson", json: "application/json" } as const;

const options = z.strictObject({
  ...httpShape("https://logs.example/ingest", "Where lines are sent, `http://` or `https://`.", "none"),
  method: z.enum(["POST", "PUT"]).default("POST").describe("The method of each request."),
  format: z
    .enum(["text", "ndjson", "json"])
    .default("text")
    .describe(
      "`text`: lines as they were written, parsed ones as JSON. `ndjson`: one JSON object a line, with `@timestamp` and the entry's `fields`. `json`: one array of such objects.",
    ),
  contentType: z
    .string()
    .regex(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/, "must be a media type")
    .optional()
    .describe("The `content-type` of each request. Default: that of the format."),
  ...documentShape(),
});

/** One request per batch. */
export default defineLogOutput({
  name: "http",
  doc: "Sends batches of lines by HTTP requests: as they were written, or as JSON. 2xx is taken as delivered; 408, 429, 5xx and broken connections come again; 413 comes again in halves; 401, 403, 404 and the like wait until somebody mends them; other statuses are refusals.",
  config: options,
  explain: ({ url, format }) => `by requests to ${url}, as ${format}`,
  async create(config, context) {
    const { HttpSender } = await import("./_http-sender.ts");
    const { LinesOutput, linesOfBatch } = await import("./_lines-output.ts");
    const { method, format, contentType } = config;
    const headers = [["Content-Type", contentType ?? types[format]]] as const;
    const sender = await HttpSender.open(config, context);
    if (format === "text") return new LinesOutput(sender, { method, headers, encode: linesOfBatch }, context);
    const { DocumentBodies } = await import("./_document-bodies.ts");
    const mended = context.metrics.counter("outrigger_log_output_mended_lines_total", { output: context.name });
    const bodies = new DocumentBodies(format, config, () => mended.add(1));
    const { wrappedBatch } = await import("./_http-output.ts");
    return new LinesOutput(
      sender,
      { method, headers, encode: (batch, wallMs) => bodies.encode(batch, wallMs), batch: wrappedBatch },
      context,
    );
  },
});
