import * as z from "zod";
import { defineLogTransform } from "../contracts.ts";

const fieldName = z.string().min(1);
const plain = z.union([z.string(), z.number(), z.boolean(), z.null()]);
type Plain = z.output<typeof plain>;

export default defineLogTransform<Record<string, Plain>>({
  name: "add",
  doc: "Adds fields, or replaces those of the same name. In a text `{name}` is the value of another field, and `{@path}`, `{@input}`, `{@text}`, `{@time}`, `{@severity}` and `{@offset}` what is known of the record; `{{` is a brace. A record that nothing parsed gets its text as the field `message`. For fields that are the same in all records, `fields:` of the entry costs less.",
  config: z.record(fieldName, plain),
  explain: (fields) => `${Object.keys(fields).join(", ")} ${Object.keys(fields).length === 1 ? "is" : "are"} added.`,
  async create(fields) {
    const [{ FieldPath }, { compileValue }] = await Promise.all([
      import("../logs/shaping/transforms/field-path.ts"),
      import("../logs/shaping/transforms/template.ts"),
    ]);
    const added = Object.entries(fields).map(([name, value]) => [new FieldPath(name), compileValue(value)] as const);
    return {
      apply(record) {
        const values = added.map(([, value]) => value(record));
        record.fields ??= { message: record.text };
        for (const [at, [path]] of added.entries()) if (values[at] !== undefined) path.set(record.fields, values[at]);
        return true;
      },
    };
  },
});
