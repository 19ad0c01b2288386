/**
 * Replaces the values of some members in JSON answers while they stream: nothing is kept but the name of the member
 * at hand, and the borders between chunks may be anywhere.
 */
import { type Answered, defineFilter } from "outrigger";
import * as z from "outrigger/zod";
import { Redactor } from "./redactor.ts";

export default defineFilter({
  doc: "Replaces the values of some members in JSON answers.",
  phase: "shape",
  config: z.strictObject({
    fields: z.array(z.string().max(200)).min(1),
    with: z.string().default("[redacted]"),
  }),
  explain: ({ fields }) => `replaces ${fields.join(", ")} in JSON answers.`,
  create({ fields, with: text }) {
    const names = new Set(fields);
    const redactors = new WeakMap<object, Redactor>();
    return {
      request(x) {
        // Compressed, or in parts, an answer could not be read.
        x.setHeader("accept-encoding", "identity");
        x.removeHeader("range");
      },
      response(x) {
        const { response } = x as Answered;
        if (!isJson(response.header("content-type"))) return;
        const coding = response.header("content-encoding") ?? "identity";
        if (coding !== "identity") return { status: 502, body: "the answer is compressed: it cannot be redacted\n" };
        for (const name of ["etag", "content-md5", "digest", "content-digest"]) response.removeHeader(name);
        redactors.set(x, new Redactor(names, text));
      },
      responseBody(chunk, _last, x) {
        return redactors.get(x)?.pass(chunk) ?? chunk;
      },
    };
  },
});

function isJson(type = ""): boolean {
  return /^application\/(?:[\w.-]+\+)?json\s*(?:;|$)/i.test(type);
}
