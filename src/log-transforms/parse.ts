import * as z from "zod";
import { defineLogTransform } from "../contracts.ts";

const formats = ["json"] as const;
const severities = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

const fieldName = z.string().min(1);

const time = z.strictObject({
  field: fieldName.optional().describe("The field that says the time; `a.b` is `b` in `a`."),
  format: z
    .string()
    .min(1)
    .default("auto")
    .describe(
      "`rfc3339`; `s`, `ms`, `us` or `ns` since 1970; a pattern as `strptime` has it, such as `%d/%b/%Y:%H:%M:%S %z`; or `auto`, which is RFC 3339 or a number whose size tells its unit. Without a year in it, the time nearest to now is meant.",
    ),
  zone: z
    .string()
    .min(1)
    .default("UTC")
    .describe("Zone of times that do not say theirs: `UTC`, `+02:00`, or a name such as `Europe/Berlin`."),
});

const severity = z.strictObject({
  field: fieldName.optional().describe("The field that says the severity; `a.b` is `b` in `a`."),
  words: z
    .record(z.string(), z.enum(severities))
    .default({})
    .describe(
      "Words, in any case, that mean a severity beside the usual ones: `{ chatty: debug }`. Severities are trace, debug, info, warn, error and fatal.",
    ),
});

const full = z.strictObject({
  format: z.enum(formats).optional().describe("The form lines have."),
  regex: z
    .string()
    .optional()
    .describe(
      "Instead of a format: a JavaScript regular expression with the `u` flag, whose named groups are the fields: `^(?<level>\\w+) (?<message>.*)$`. Not tried on text above 64 KiB.",
    ),
  field: fieldName
    .optional()
    .describe(
      "A field to read, left by an earlier transform, instead of the text; it gives way to what is found in it.",
    ),
  into: fieldName
    .optional()
    .describe("A field to put what is found under; without it, fields stand beside each other."),
  original: fieldName
    .optional()
    .describe("A field to keep the text in that was read. Without it, only its parts stay."),
  time: z
    .union([time, fieldName.transform((field) => time.parse({ field })), z.literal(false)])
    .default(() => time.parse({}))
    .describe(
      "Where the time of writing stands: a field's name, or options; `false` looks for none. Without a field, it is the form's own; in JSON, logfmt and regex the first of `@timestamp`, `timestamp`, `time`, `ts`.",
    ),
  severity: z
    .union([severity, fieldName.transform((field) => severity.parse({ field })), z.literal(false)])
    .default(() => severity.parse({}))
    .describe(
      "Where the severity stands: a field's name, or options; `false` looks for none. Without a field, it is the form's own, or the first of `severity`, `level`, `lvl`, `loglevel`, `log.level`.",
    ),
  onFailure: z
    .enum(["keep", "drop"])
    .default("keep")
    .describe("What becomes of a record of another form: it stays as it is, or it is left out. Both are counted."),
});

type Options = z.output<typeof full>;

const timeFields = ["@timestamp", "timestamp", "time", "ts"];
const severityFields = ["severity", "level", "lvl", "loglevel", "log.level"];

/** Reads lines into fields; the forms are `logs/parsing`. */
export default defineLogTransform<Options>({
  name: "parse",
  doc: "Reads text into fields, a time and a severity.",
  config: z.union([full, z.enum(formats).transform((format) => full.parse({ format }))]),
  explain: ({ format, regex, field, into, onFailure }) => {
    const what = field === undefined ? "its text" : `its field ${field}`;
    const how = format ?? `by /${regex}/`;
    const where = into === undefined ? "" : ` under ${into}`;
    const others = onFailure === "keep" ? "what has another form stays as it is" : "what has another form is left out";
    return `${what} is read as ${how} into fields${where}; ${others}, and is counted.`;
  },
  async create(
    { format = "json", field, into, original, time, severity, onFailure },
    { input, transform, metrics, clock },
  ) {
    const [{ Parser }, { formats }, { timeReader }, { offsetsOf }] = await Promise.all([
      import("../logs/parsing/parser.ts"),
      import("../logs/parsing/formats.ts"),
      import("../logs/parsing/time.ts"),
      import("../logs/parsing/zone.ts"),
    ]);
    const nowMs = () => clock.wall();
    const zone = time === false ? "UTC" : time.zone;
    const read = await formats[format]!({ offsetOf: offsetsOf(zone), nowMs });
    return new Parser({
      read,
      field,
      into,
      original,
      timeFields: time === false ? [] : time.field === undefined ? timeFields : [time.field],
      readTime: timeReader(time === false ? "auto" : time.format, zone, nowMs),
      severityFields: severity === false ? [] : severity.field === undefined ? severityFields : [severity.field],
      severities: new Map(
        Object.entries(severity === false ? {} : severity.words).map(([word, one]) => [word.toLowerCase(), one]),
      ),
      dropsOthers: onFailure === "drop",
      unparsed: metrics.counter("outrigger_log_unparsed_records_total", { input, transform }),
    });
  },
});
