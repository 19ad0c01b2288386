import * as z from "zod";
import { defineLogTransform } from "../contracts.ts";

const fieldName = z.string().min(1);
const names = z.array(fieldName).min(1);

export default defineLogTransform<string[]>({
  name: "remove",
  doc: "Removes parsed fields by name: `[stack, http.headers]`. The text they were read from stays as it is: `redact` is for secrets.",
  config: z.union([names, fieldName.transform((name) => [name])]),
  explain: (fields) =>
    `the ${fields.length === 1 ? "field" : "fields"} ${fields.join(", ")} are removed.`.replace(
      /^(the field [^,]+) are/,
      "$1 is",
    ),
  async create(fields) {
    const { FieldPath } = await import("../logs/shaping/transforms/field-path.ts");
    const paths = fields.map((name) => new FieldPath(name));
    return {
      apply(record) {
        if (record.fields !== undefined) for (const path of paths) path.remove(record.fields);
        return true;
      },
    };
  },
});
