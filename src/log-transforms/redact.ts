import * as z from "zod";
import { type Counter, defineLogTransform } from "../contracts.ts";
import { pattern } from "./_pattern-options.ts";

const shapeNames = [
  "authorization",
  "jwt",
  "aws",
  "privateKeys",
  "urls",
  "keyValues",
  "tokens",
  "cards",
  "emails",
] as const;
/** Addresses of people are no secrets to everybody. */
const usual = shapeNames.filter((name) => name !== "emails");

const patternOptions = z.strictObject({
  pattern: pattern().describe("A JavaScript regular expression (flag `u`)."),
  with: z.string().optional().describe("What stands instead of its matches."),
});

const full = z.strictObject({
  fields: z
    .array(z.string().min(1))
    .default([])
    .describe("Parsed fields whose whole value is replaced, whatever it is: `password`, `user.email`."),
  patterns: z
    .array(z.union([patternOptions, pattern().transform((text) => patternOptions.parse({ pattern: text }))]))
    .default([])
    .describe(
      "Regular expressions (flag `u`), or `{ pattern, with }`: what matches is replaced, in text and in the texts of parsed fields. Above 64 KiB, text is looked at in pieces, cut at white space.",
    ),
  secrets: z
    .union([z.boolean(), z.array(z.enum(shapeNames)).min(1)])
    .default(true)
    .describe(
      'What looks like a secret is replaced. `true` is all but emails: `authorization` (Bearer and Basic), `jwt`, `aws` (access keys), `privateKeys` (PEM blocks), `urls` (passwords in them), `keyValues` (`password=…`, `"apiKey": …`, and parsed fields with such names, whatever the type of their value), `tokens` (of GitHub, GitLab, Slack, Google, Stripe, npm, Vault), `cards` (numbers of payment cards, with their check digit).',
    ),
  with: z.string().default("[redacted]").describe("What stands instead."),
});

type Options = z.output<typeof full>;

/** The engine is `logs/transforms/redaction`. */
export default defineLogTransform<Options>({
  name: "redact",
  doc: "Takes secrets out of text and parsed fields: named fields, matches of patterns, and what looks like a secret. What is replaced is counted.",
  config: full,
  metrics: {
    outrigger_log_redactions_total: {
      kind: "counter",
      doc: "Secrets replaced by redact, by kind: field (named), pattern, depth (nested too deep to be looked into), failed (the whole record, which could not be looked into: a bug, please report it), or the shape of the secret.",
      labels: ["input", "transform", "kind"],
    },
  },
  explain: ({ fields, patterns, secrets, with: instead }) => {
    const shapes = secrets === true ? usual : secrets === false ? [] : secrets;
    const what = [
      ...(fields.length === 0 ? [] : [`the values of ${fields.join(", ")}`]),
      ...(patterns.length === 0 ? [] : [`what matches ${patterns.map((one) => `/${one.pattern}/`).join(" or ")}`]),
      ...(shapes.length === 0 ? [] : [`secrets that look like ${shapes.join(", ")}`]),
    ];
    return what.length === 0 ? "nothing is replaced." : `${what.join("; ")}: all become ${instead}.`;
  },
  async create({ fields, patterns, secrets, with: instead }, { metrics, input, transform }) {
    const [{ Redaction }, { FieldPath }, { secretShapes }] = await Promise.all([
      import("../logs/shaping/transforms/redaction.ts"),
      import("../logs/shaping/transforms/field-path.ts"),
      import("../logs/shaping/transforms/secret-shapes.ts"),
    ]);
    const shapes = secrets === true ? usual : secrets === false ? [] : secrets;
    const counters = new Map<string, Counter>();
    const counterOf = (kind: string) => {
      const made = metrics.counter("outrigger_log_redactions_total", { input, transform, kind });
      counters.set(kind, made);
      return made;
    };
    return new Redaction({
      fields: fields.map((name) => new FieldPath(name)),
      patterns: patterns.map((one) => ({ pattern: new RegExp(one.pattern, "gu"), with: one.with ?? instead })),
      shapes: new Map(shapes.map((name) => [name, secretShapes[name]])),
      byName: shapes.includes("keyValues"),
      with: instead,
      count: (kind) => (counters.get(kind) ?? counterOf(kind)).add(1),
    });
  },
});
