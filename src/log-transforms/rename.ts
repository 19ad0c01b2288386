import * as z from "zod";
import { defineLogTransform } from "../contracts.ts";

const fieldName = z.string().min(1);

export default defineLogTransform<Record<string, string>>({
  name: "rename",
  doc: "Gives parsed fields other names: `{ lvl: level, http.verb: method }`. One of the new name is replaced; where there is no field of the old one, nothing happens.",
  config: z.record(fieldName, fieldName),
  explain: (names) =>
    `${Object.entries(names)
      .map(([before, after]) => `${before} is called ${after}`)
      .join(", ")}.`,
  async create(names) {
    const { FieldPath } = await import("../logs/shaping/transforms/field-path.ts");
    const pairs = Object.entries(names).map(
      ([before, after]) => [new FieldPath(before), new FieldPath(after)] as const,
    );
    return {
      apply({ fields }) {
        if (fields === undefined) return true;
        for (const [before, after] of pairs) {
          const value = before.get(fields);
          if (value === undefined) continue;
          before.remove(fields);
          after.set(fields, value);
        }
        return true;
      },
    };
  },
});
