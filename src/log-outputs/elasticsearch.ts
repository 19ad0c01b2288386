import * as z from "zod";
import { defineLogOutput } from "../contracts.ts";
import { documentShape, httpShape } from "./_http-options.ts";

const options = z.strictObject({
  ...httpShape(
    "https://elasticsearch:9200",
    "Where it is; `/_bulk` is added. A query such as `?pipeline=x` stays.",
    "gzip",
  ),
  index: z
    .string()
    .min(1)
    .default("logs-outrigger-default")
    .describe(
      "The data stream or index. `{app}` stands for a field of the entry or a parsed one, `{%Y.%m.%d}` for the day in UTC (`%Y`, `%m`, `%d`, `%H`).",
    ),
  ids: z
    .boolean()
    .default(true)
    .describe(
      "True: each document's id is made of its file and place, so that a line that is sent again is stored once. False: Elasticsearch makes ids, which is faster there.",
    ),
  ...documentShape(),
});

/** One `create` for each line. */
export default defineLogOutput({
  name: "elasticsearch",
  doc: "Stores lines in Elasticsearch or OpenSearch by `_bulk`. What was not parsed and is no JSON object becomes `message`. Documents that are refused go to the dead letters one by one, those it has no time for come again alone.",
  config: options,
  explain: ({ url, index }) => `to ${index} at ${url}`,
  async create(config, context) {
    const { HttpSender } = await import("./_http-sender.ts");
    const { wrappedBatch } = await import("./_http-output.ts");
    const { BulkEncoding } = await import("./_bulk-encoding.ts");
    const { BulkOutput } = await import("./_bulk-output.ts");
    const { IndexName } = await import("./_index-name.ts");
    const { underPath } = await import("./_http-url.ts");
    const mended = context.metrics.counter("outrigger_log_output_mended_lines_total", { output: context.name });
    const { index, ids, messageField, pathField } = config;
    const encoding = new BulkEncoding({
      index: new IndexName(index),
      withIds: ids,
      messageField,
      pathField,
      onMended: () => mended.add(1),
    });
    const url = new URL(underPath(config.url, "/_bulk"));
    url.searchParams.set("filter_path", "errors,items.*.status,items.*.error");
    return new BulkOutput(
      await HttpSender.open(config, context),
      {
        url: url.href,
        headers: [["Content-Type", "application/x-ndjson"]],
        encode: (batch, wallMs) => encoding.encode(batch, wallMs),
        batch: wrappedBatch,
      },
      context,
    );
  },
});
