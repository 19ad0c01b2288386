import * as z from "zod";
import { duration, formatDuration, formatSize, option, regex, size } from "../config/scalars.ts";
import { defineLogTransform } from "../contracts.ts";

const kinds = ["java", "python", "go", "node", "ruby"] as const;

const shape = z.strictObject({
  traces: option(
    z.union([z.enum(kinds).transform((one) => [one]), z.array(z.enum(kinds)).min(1)]),
    "Stack traces to join: one of them or a list. java is for .NET and V8 as well. Not beside patterns.",
  ).optional(),
  start: option(
    regex(),
    "A line that begins a record; a line before any such one goes on alone. Without one of the four patterns below, all lines up to the next that begins one belong to it. Patterns are not tried on lines above 64 KiB.",
  ).optional(),
  continue: option(regex(), "Lines that match belong to the record.").optional(),
  continuePast: option(regex(), "Lines that match belong to the record, and so does the one behind them.").optional(),
  haltBefore: option(regex(), "The record ends before a line that matches.").optional(),
  haltWith: option(regex(), "The record ends with a line that matches.").optional(),
  quiet: option(duration(1), "Time without a new line after which what was joined is complete.").prefault("1s"),
  maxLines: option(
    z.int().min(2),
    "Lines after which a record is ended, and counted; what follows is another one.",
  ).prefault(1_000),
  maxBytes: option(size(), "Bytes after which a record is ended, and counted; what follows is another one.").prefault(
    "256KiB",
  ),
});

const full = shape.superRefine((options, context) => {
  const given = modesOf(options).map(([key]) => key);
  const isPatterns = options.start !== undefined || given.length > 0;
  const remedy = "write traces: java, or start: with a pattern, or one of continue, continuePast, haltBefore, haltWith";
  const fault = (message: string) => context.addIssue({ code: "custom", message, params: { remedy } });
  if (given.length > 1) fault(`${given.join(" and ")} exclude each other`);
  else if (isPatterns && options.traces !== undefined) fault("traces and patterns exclude each other");
  else if (!isPatterns && options.traces === undefined) fault("it is not said which lines belong together");
});

type Options = z.output<typeof full>;

const modes = { continue: "through", continuePast: "past", haltBefore: "before", haltWith: "with" } as const;

/** Which of the four patterns are given. */
function modesOf(options: Partial<Record<keyof typeof modes, RegExp | undefined>>) {
  const keys = Object.keys(modes) as (keyof typeof modes)[];
  return keys.flatMap((key) => (options[key] === undefined ? [] : [[key, options[key]] as const]));
}

/** Makes one record of lines that belong together; how is in `logs/shaping/joining`. */
export default defineLogTransform<Options>({
  name: "join",
  doc: "Makes one record of several lines: stack traces by the language that wrote them, or by patterns.",
  config: z.union([full, z.enum(kinds).transform((kind) => full.parse({ traces: kind }))]),
  explain: (options) => {
    const { traces, start, quiet, maxLines, maxBytes } = options;
    const patterns = [...(start === undefined ? [] : [["start", start] as const]), ...modesOf(options)];
    const what =
      traces === undefined
        ? `lines become one record by ${patterns.map(([key, { source }]) => `${key} /${source}/`).join(" and ")}`
        : `the lines of a stack trace (${traces.join(", ")}) become one record`;
    return `${what}; it is complete when a line follows that does not belong to it, or after ${formatDuration(quiet)} without one, and is ended at ${maxLines} lines or ${formatSize(maxBytes)}.`;
  },
  async create(options, { input, transform, metrics }) {
    const { traces: kinds, start, quiet: quietMs, maxLines: lines, maxBytes: bytes } = options;
    const cuts = metrics.counter("outrigger_log_join_cuts_total", { input, transform });
    const common = { quietMs, limits: { lines, bytes }, cuts };
    if (kinds !== undefined) {
      const [{ TraceJoin }, { traces }] = await Promise.all([
        import("../logs/shaping/joining/trace-join.ts"),
        import("../logs/shaping/joining/traces.ts"),
      ]);
      return new TraceJoin({ ...common, machines: kinds.map((kind) => traces[kind]!) });
    }
    const { PatternJoin } = await import("../logs/shaping/joining/pattern-join.ts");
    const [[key, pattern] = ["haltBefore", start] as const] = modesOf(options);
    return new PatternJoin({ ...common, start, mode: modes[key], pattern: pattern! });
  },
});
