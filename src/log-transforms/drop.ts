import { defineLogTransform } from "../contracts.ts";
import { type ConditionOptions, conditions, explainConditions } from "./_condition-options.ts";

export default defineLogTransform<ConditionOptions>({
  name: "drop",
  doc: "Drops the records for which all conditions hold, which is counted.",
  config: conditions,
  explain: (options) => `records are dropped of which ${explainConditions(options)}.`,
  async create(options) {
    const { compileConditions } = await import("../logs/shaping/transforms/conditions.ts");
    const holds = compileConditions(options);
    return { apply: (record) => holds(record) !== true };
  },
});
