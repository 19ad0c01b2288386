import * as z from "zod";
import { defineLogTransform } from "../contracts.ts";
import { conditions, explainConditions } from "./_condition-options.ts";

const full = z
  .strictObject({
    rate: z.number().min(0).max(1).optional().describe("The share of records that is kept: 0.1 is one of ten."),
    oneOf: z.int().min(1).optional().describe("Instead of a rate: one of so many is kept."),
    by: z
      .string()
      .min(1)
      .optional()
      .describe(
        "A parsed field: records with the same value are all kept or all dropped. Without it each record is for itself.",
      ),
    unless: conditions.optional().describe("Records for which these conditions hold are always kept."),
  })
  .superRefine(({ rate, oneOf }, context) => {
    if ((rate === undefined) !== (oneOf === undefined)) return;
    const params = { remedy: "write rate: 0.1, or oneOf: 10" };
    context.addIssue({ code: "custom", message: "there must be one of rate and oneOf", params });
  });

type Options = z.output<typeof full>;

/** Chooses by the record itself, so that every output, retry and restart chooses the same; see `logs/shaping/transforms/sampling`. */
export default defineLogTransform<Options>({
  name: "sample",
  doc: "Keeps a share of the records, and drops the others, which is counted. The same record has the same fate in every output and after every restart.",
  config: z.union([full, z.number().transform((rate) => full.parse({ rate }))]),
  explain: ({ rate, oneOf, by, unless }) => {
    const share = oneOf === undefined ? `a share of ${rate}` : `one of ${oneOf}`;
    const together = by === undefined ? "" : `, all those with the same ${by} alike`;
    const spared = unless === undefined ? "" : `; always those of which ${explainConditions(unless)}`;
    return `${share} of the records is kept${together}${spared}.`;
  },
  async create({ rate, oneOf, by, unless }) {
    const [{ Sampling }, { FieldPath }, { compileConditions }] = await Promise.all([
      import("../logs/shaping/transforms/sampling.ts"),
      import("../logs/shaping/transforms/field-path.ts"),
      import("../logs/shaping/transforms/conditions.ts"),
    ]);
    const holds = unless === undefined ? () => false : compileConditions(unless);
    return new Sampling({
      rate: rate ?? 1 / (oneOf ?? 1),
      by: by === undefined ? undefined : new FieldPath(by),
      isSpared: (record) => holds(record) === true,
    });
  },
});
