import * as z from "zod";
import { defineLogTransform } from "../contracts.ts";

const kinds = ["java", "python", "go", "node", "ruby"] as const;

/** A regular expression as text, compiled when the transform is made. */
const pattern = z.string().superRefine((text, context) => {
  try {
    new RegExp(text, "u");
  } catch (error) {
    const message = `"${text}" is not a regular expression: ${(error as Error).message.replace(/^Invalid regular expression: /, "")}`;
    context.addIssue({ code: "custom", message, params: { remedy: "write a JavaScript regular expression" } });
  }
});

const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000 };
const unitBytes: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 * 1024 };

const duration = z
  .string()
  .regex(/^\d+(ms|s|m)$/)
  .transform((text) => Number.parseInt(text, 10) * unitMs[text.replace(/\d+/, "")]!);

const size = z
  .union([z.int().min(1), z.string().regex(/^\d+(KiB|MiB)$/)])
  .transform((value) =>
    typeof value === "number" ? value : Number.parseInt(value, 10) * unitBytes[value.replace(/\d+/, "")]!,
  );

const full = z
  .strictObject({
    traces: z
      .union([z.enum(kinds).transform((one) => [one]), z.array(z.enum(kinds)).min(1)])
      .optional()
      .describe(
        "Stack traces to join: of java (and .NET and V8), python, go, node, ruby; one or a list. Not beside patterns.",
      ),
    start: pattern
      .optional()
      .describe(
        "A line that begins a record; lines before it go on alone. Without one of the four patterns below, all lines up to the next that begins belong to it.",
      ),
    continue: pattern.optional().describe("Lines that match belong to the record."),
    continuePast: pattern
      .optional()
      .describe("Lines that match belong to the record, and so does the one behind them."),
    haltBefore: pattern.optional().describe("The record ends before a line that matches."),
    haltWith: pattern.optional().describe("The record ends with a line that matches."),
    quiet: duration
      .default(1_000)
      .describe("Time without a new line after which what was joined is complete: `1s`, `500ms`."),
    maxLines: z
      .int()
      .min(2)
      .default(1_000)
      .describe("Lines after which a record is ended; what follows is another one."),
    maxBytes: size.default(256 * 1024).describe("Bytes after which a record is ended; what follows is another one."),
  })
  .superRefine((options, context) => {
    const given = modesOf(options).map(([key]) => key);
    const isPatterns = options.start !== undefined || given.length > 0;
    const remedy =
      "write traces: java, or start: with a pattern, or one of continue, continuePast, haltBefore, haltWith";
    const fault = (message: string) => context.addIssue({ code: "custom", message, params: { remedy } });
    if (given.length > 1) fault(`${given.join(" and ")} exclude each other`);
    else if (isPatterns && options.traces !== undefined) fault("traces and patterns exclude each other");
    else if (!isPatterns && options.traces === undefined) fault("it is not said which lines belong together");
  });

type Options = z.output<typeof full>;

const modes = { continue: "through", continuePast: "past", haltBefore: "before", haltWith: "with" } as const;

function modesOf(options: Partial<Record<keyof typeof modes, string | undefined>>) {
  const keys = Object.keys(modes) as (keyof typeof modes)[];
  return keys.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]] as const]));
}

/** Makes one record of lines that belong together; how is in `logs/joining`. */
export default defineLogTransform<Options>({
  name: "join",
  doc: "Makes one record of several lines: stack traces by the language that wrote them, or by patterns.",
  config: z.union([full, z.enum(kinds).transform((kind) => full.parse({ traces: kind }))]),
  explain: (options) => {
    const { traces, start, quiet, maxLines, maxBytes } = options;
    const [mode] = modesOf(options);
    const what =
      traces !== undefined
        ? `the lines of a stack trace (${traces.join(", ")}) become one record`
        : `lines become one record, by ${[start === undefined ? "" : `start /${start}/`, mode === undefined ? "" : `${mode[0]} /${mode[1]}/`].filter(Boolean).join(" and ")}`;
    return `${what}, complete when another line follows or after ${quiet} ms without one; ended at ${maxLines} lines or ${maxBytes} bytes.`;
  },
  async create(options, { input, transform, metrics }) {
    const { traces: kinds, start, quiet: quietMs, maxLines: lines, maxBytes: bytes } = options;
    const cuts = metrics.counter("outrigger_log_join_cuts_total", { input, transform });
    const common = { quietMs, limits: { lines, bytes }, cuts };
    if (kinds !== undefined) {
      const [{ TraceJoin }, { traces }] = await Promise.all([
        import("../logs/joining/trace-join.ts"),
        import("../logs/joining/traces.ts"),
      ]);
      return new TraceJoin({ ...common, machines: kinds.map((kind) => traces[kind]!) });
    }
    const { PatternJoin } = await import("../logs/joining/pattern-join.ts");
    const [[key, text] = ["haltBefore", start] as const] = modesOf(options);
    const compiled = (source: string) => new RegExp(source, "u");
    return new PatternJoin({
      ...common,
      start: start === undefined ? undefined : compiled(start),
      mode: modes[key],
      pattern: compiled(text!),
    });
  },
});
