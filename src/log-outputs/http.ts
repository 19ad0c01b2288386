import * as z from "zod";
import { defineLogOutput } from "../contracts.ts";
import { httpShape } from "./_http-options.ts";

const options = z.strictObject({
  ...httpShape("https://logs.example/ingest", "Where lines are sent, `http://` or `https://`.", "none"),
  method: z.enum(["POST", "PUT"]).default("POST").describe("The method of each request."),
  contentType: z
    .string()
    .regex(/^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/, "must be a media type")
    .default("text/plain")
    .describe("The `content-type` of each request."),
});

/** One request per batch. */
export default defineLogOutput({
  name: "http",
  doc: "Sends batches of lines by HTTP requests, as they were written. 2xx is taken as delivered; 408, 429, 5xx and broken connections come again; 413 comes again in halves; 401, 403, 404 and the like wait until somebody mends them; other statuses are refusals.",
  config: options,
  explain: ({ url }) => `by requests to ${url}`,
  async create(config, context) {
    const { HttpSender } = await import("./_http-sender.ts");
    const { HttpOutput, linesOfBatch } = await import("./_http-output.ts");
    const { method, contentType } = config;
    const headers = [["Content-Type", contentType]] as const;
    return new HttpOutput(await HttpSender.open(config, context), { method, headers, encode: linesOfBatch });
  },
});
