import * as z from "zod";
import { option, regex, scalar, text } from "../config/scalars.ts";
import { defineLogTransform } from "../contracts.ts";

const formats = ["json", "logfmt", "nginx", "apache", "klog", "syslog"] as const;
const severities = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

const field = () => text("field", "level");

const known = ["auto", "rfc3339", "s", "ms", "us", "ns"];

/** A name, or a pattern with directives that exist. */
function timeFormat() {
  const doc = { title: "form of a time", example: "rfc3339", type: "string" } as const;
  return scalar<string>(doc, (value) => {
    const format = String(value);
    const [wrong] = format.match(/%[^YymdeHkIlMSfLNbBhaApszZTRFD%]|%$/) ?? [];
    if (wrong !== undefined) return { problem: `there is no ${wrong} in patterns of times`, remedy: "see strptime(3)" };
    if (known.includes(format) || format.includes("%")) return { value: format };
    return { problem: `"${format}" is no form of a time`, remedy: `write ${known.join(", ")}, or a pattern with %Y` };
  });
}

function timeZone() {
  const doc = { title: "zone", example: "Europe/Berlin", type: "string" } as const;
  return scalar<string>(doc, (value) => {
    const zone = String(value);
    if (/^[+-]([01]\d|2[0-3]):?[0-5]\d$/.test(zone) || zone === "UTC") return { value: zone };
    try {
      new Intl.DateTimeFormat("en", { timeZone: zone });
      return { value: zone };
    } catch {
      return {
        problem: `"${zone}" is not a time zone`,
        remedy: "write UTC, an offset such as +02:00, or Europe/Berlin",
      };
    }
  });
}

const time = z.strictObject({
  field: option(field(), "The field that says the time; `a.b` is `b` in `a`.").optional(),
  format: option(
    timeFormat(),
    "`rfc3339`; `s`, `ms`, `us` or `ns` since 1970; a pattern as strptime(3) has it, such as `%d/%b/%Y:%H:%M:%S %z`, with `%f` for a fraction of a second; or `auto`: RFC 3339, or a number whose size tells its unit. Without a year, the time nearest to now is meant. What is before 1971 or after 2261 is no time.",
  ).prefault("auto"),
  zone: option(timeZone(), "Zone of times that do not say theirs: `UTC`, `+02:00`, `Europe/Berlin`.").prefault("UTC"),
});

const severity = z.strictObject({
  field: option(field(), "The field that says the severity; `a.b` is `b` in `a`.").optional(),
  words: option(
    z.record(z.string(), z.enum(severities)),
    "Words, in any case, that mean a severity beside the usual ones: `{ chatty: debug }`.",
  ).prefault({}),
});

const shape = z.strictObject({
  format: option(
    z.enum(formats),
    'The form lines have: one JSON object; logfmt (`a=1 b="two words"`); what nginx or Apache httpd write, access log (common or combined) and error log alike; klog; syslog, RFC 5424 or 3164, with or without a priority.',
  ).optional(),
  regex: option(
    regex(),
    "Instead of a format: a regular expression whose named groups are the fields, `^(?<level>\\w+) (?<message>.*)$`. It is not tried on text above 64 KiB.",
  ).optional(),
  field: option(
    field(),
    "A field to read, left by an earlier transform, instead of the text. It gives way to what is found in it.",
  ).optional(),
  into: option(field(), "A field to put what is found under. Without it, fields stand beside each other.").optional(),
  original: option(field(), "A field to keep the text in that was read. Without it, only its parts stay.").optional(),
  time: option(
    z.union([
      time,
      z.literal(false),
      z
        .string()
        .min(1)
        .transform((name) => time.parse({ field: name })),
    ]),
    "Where the time of writing stands: a field's name, or options; `false` looks for none. Without a field, it is where the format has it; in JSON, logfmt and by regex, the first of `@timestamp`, `timestamp`, `time`, `ts`.",
  ).prefault({}),
  severity: option(
    z.union([
      severity,
      z.literal(false),
      z
        .string()
        .min(1)
        .transform((name) => severity.parse({ field: name })),
    ]),
    "Where the severity stands: a field's name, or options; `false` looks for none. Without a field, it is where the format has it, or the first of `severity`, `level`, `lvl`, `loglevel`, `log.level`.",
  ).prefault({}),
  onFailure: option(
    z.enum(["keep", "drop"]),
    "What becomes of a record of another form: it stays as it is, or it is left out. Both are counted.",
  ).prefault("keep"),
});

const full = shape.superRefine(({ format, regex: pattern }, context) => {
  const remedy = `write format: with one of ${formats.join(", ")}, or regex: with a pattern`;
  const fault = (message: string) => context.addIssue({ code: "custom", message, params: { remedy } });
  if (format === undefined && pattern === undefined) fault("the form of the lines is missing");
  if (format !== undefined && pattern !== undefined) fault("format and regex exclude each other");
  if (pattern !== undefined && !/\(\?<[^=!]/.test(pattern.source)) fault(`/${pattern.source}/ has no named group`);
});

type Options = z.output<typeof full>;

const timeFields = ["@timestamp", "timestamp", "time", "ts"];
const severityFields = ["severity", "level", "lvl", "loglevel", "log.level"];

/** Reads lines into fields; the forms are in `logs/shaping/parsing`. */
export default defineLogTransform<Options>({
  name: "parse",
  doc: "Reads text into fields, a time and a severity.",
  config: z.union([full, z.enum(formats).transform((format) => full.parse({ format }))]),
  explain: ({ format, regex: pattern, field, into, onFailure }) => {
    const what = field === undefined ? "its text" : `its field ${field}`;
    const how = format ?? `/${pattern?.source}/`;
    const where = into === undefined ? "" : ` under ${into}`;
    const others = onFailure === "keep" ? "stays as it is" : "is left out";
    return `${what} is read as ${how} into fields${where}; what has another form ${others}, and is counted.`;
  },
  async create(options, { input, transform, metrics, clock }) {
    const { format, regex: pattern, field, into, original, time, severity, onFailure } = options;
    const [{ FieldPath }, { Parser }, { readerOf }, { timeReader }] = await Promise.all([
      import("../logs/shaping/transforms/field-path.ts"),
      import("../logs/shaping/parsing/parser.ts"),
      import("../logs/shaping/parsing/formats.ts"),
      import("../logs/shaping/parsing/time.ts"),
    ]);
    const nowMs = () => clock.wall();
    const zone = time === false ? "UTC" : time.zone;
    const words = severity === false ? [] : Object.entries(severity.words);
    return new Parser({
      read: await readerOf(format ?? pattern!, zone, nowMs),
      isJson: format === "json",
      field: field === undefined ? undefined : new FieldPath(field),
      into,
      original,
      timeFields: (time === false ? [] : fieldsOr(timeFields, time.field)).map((name) => new FieldPath(name)),
      readTime: timeReader(time === false ? "auto" : time.format, zone, nowMs),
      ownTime: time !== false && time.field === undefined,
      severityFields: (severity === false ? [] : fieldsOr(severityFields, severity.field)).map(
        (name) => new FieldPath(name),
      ),
      severities: new Map(words.map(([word, meant]) => [word.toLowerCase(), meant])),
      ownSeverity: severity !== false && severity.field === undefined,
      dropsOthers: onFailure === "drop",
      unparsed: metrics.counter("outrigger_log_unparsed_records_total", { input, transform }),
    });
  },
});

function fieldsOr(usual: readonly string[], own: string | undefined): readonly string[] {
  return own === undefined ? usual : [own];
}
