import { defineLogTransform } from "../contracts.ts";
import { type ConditionOptions, conditions, explainConditions } from "./_condition-options.ts";

export default defineLogTransform<ConditionOptions>({
  name: "keep",
  doc: "Keeps the records for which all conditions hold, and drops the others, which is counted.",
  config: conditions,
  explain: (options) => `only records are kept of which ${explainConditions(options)}.`,
  async create(options) {
    const { compileConditions } = await import("../logs/shaping/transforms/conditions.ts");
    const holds = compileConditions(options);
    return { apply: (record) => holds(record) !== false };
  },
});
