/** Options that decide about a record, shared by `keep`, `drop` and `sample`. */
import * as z from "zod";
import { pattern } from "./_pattern-options.ts";

const severity = z.enum(["trace", "debug", "info", "warn", "error", "fatal"]);
const plain = z.union([z.string(), z.number(), z.boolean(), z.null()]);

const severityRange = z.strictObject({
  below: severity.optional().describe("Less severe than this."),
  atLeast: severity.optional().describe("As severe as this, or more."),
});

const fieldTest = z.strictObject({
  equals: plain.optional().describe("It is this; a number and its text are the same."),
  oneOf: z.array(plain).min(1).optional().describe("It is one of these."),
  matches: pattern()
    .optional()
    .describe("Its text matches this JavaScript regular expression (flag `u`) anywhere; 64 KiB of it are looked at."),
  below: z.number().optional().describe("It is a number below this."),
  atLeast: z.number().optional().describe("It is a number not below this."),
  exists: z.boolean().optional().describe("It is there, or is not."),
});

const shape = {
  text: pattern()
    .optional()
    .describe(
      "A JavaScript regular expression (flag `u`) that matches anywhere in the text as it was written; 64 KiB of it are looked at.",
    ),
  severity: z
    .union([severityRange, severity.transform((atLeast) => severityRange.parse({ atLeast }))])
    .optional()
    .describe(
      "The severity that parsing found: `{ below: info }`, `{ atLeast: warn }`; a name alone is the least. A record of which it is not known is kept.",
    ),
  where: z
    .record(
      z.string().min(1),
      z.union([
        fieldTest,
        z
          .array(plain)
          .min(1)
          .transform((oneOf) => fieldTest.parse({ oneOf })),
        plain.transform((equals) => fieldTest.parse({ equals })),
      ]),
    )
    .optional()
    .describe(
      "Parsed fields by name (`a.b` is `b` in `a`), with the value each must have, a list of values, or tests: `{ status: { atLeast: 500 } }`.",
    ),
};

/** The options as an object. At least one must be there. */
export const conditionOptions = z.strictObject(shape).superRefine((options, context) => {
  if (Object.values(options).some((option) => option !== undefined)) return;
  const params = { remedy: "write text, severity or where" };
  context.addIssue({ code: "custom", message: "nothing says which records are meant", params });
});

/** A regular expression alone is about the text. */
export const conditions = z.union([conditionOptions, pattern().transform((text) => conditionOptions.parse({ text }))]);

export type ConditionOptions = z.output<typeof conditionOptions>;

/** For sentences: `text matches /x/ and level is debug`. */
export function explainConditions({ text, severity, where = {} }: ConditionOptions): string {
  const parts = [
    ...(severity?.atLeast === undefined ? [] : [`the severity is at least ${severity.atLeast}`]),
    ...(severity?.below === undefined ? [] : [`the severity is below ${severity.below}`]),
    ...Object.entries(where).map(([name, test]) => `${name} ${explainTest(test)}`),
    ...(text === undefined ? [] : [`the text matches /${text}/`]),
  ];
  return parts.join(" and ");
}

function explainTest({ equals, oneOf, matches, below, atLeast, exists }: z.output<typeof fieldTest>): string {
  const parts = [
    ...(equals === undefined ? [] : [`is ${equals}`]),
    ...(oneOf === undefined ? [] : [`is one of ${oneOf.join(", ")}`]),
    ...(matches === undefined ? [] : [`matches /${matches}/`]),
    ...(atLeast === undefined ? [] : [`is at least ${atLeast}`]),
    ...(below === undefined ? [] : [`is below ${below}`]),
    ...(exists === undefined ? [] : [exists ? "is there" : "is not there"]),
  ];
  return parts.join(" and ");
}
