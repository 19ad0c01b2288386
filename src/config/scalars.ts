/**
 * The texts a configuration is made of: durations, sizes, names, patterns, files. Each is a zod schema that
 * reads the text into a value, says what is wrong with it, and documents itself for the JSON Schema and the
 * reference page. Drop-ins use the same ones in their options.
 */
import * as z from "zod";
import type { Parsed } from "./address.ts";
import { readingFiles } from "./reading.ts";

/** A schema that reads an unknown value into a `T`. */
export type Scalar<T> = z.ZodType<T, unknown>;

/** What the JSON Schema says about a scalar: it cannot be derived from code that reads text. */
export interface ScalarDoc {
  /** What it is, as a noun without an article: `duration`. The reference page's type column. */
  readonly title: string;
  /** A right one, used in remedies: `15s`. */
  readonly example: string;
  readonly type: "string" | "integer" | readonly ("string" | "integer" | "number" | "boolean")[];
  readonly pattern?: string;
  /** True when every text is right: a number or true there only lacks its quotes. */
  readonly isFreeText?: true;
}

/** Makes a scalar. `read` is given a text or a number and never sees anything else: true and false come as texts. */
export function scalar<T>(doc: ScalarDoc, read: (value: string | number) => Parsed<T>): Scalar<T> {
  const takesNumbers = doc.type !== "string";
  const takesBooleans = typeof doc.type !== "string" && doc.type.includes("boolean");
  const schema = z.transform((given: unknown, payload: z.core.ParsePayload): T => {
    const value = takesBooleans && typeof given === "boolean" ? String(given) : given;
    const readable = typeof value === "string" || (takesNumbers && typeof value === "number");
    const result = readable ? read(value as string | number) : wrongType(doc);
    if ("value" in result) return result.value;
    const { title, example, isFreeText } = doc;
    const params = { remedy: result.remedy, title, example, isFreeText, wrongType: !readable };
    payload.issues.push({ code: "custom", input: value, message: result.problem, params });
    return z.NEVER;
  });
  const { title, type, pattern } = doc;
  return described(schema, { title, type, ...(pattern === undefined ? {} : { pattern }) });
}

function wrongType(doc: ScalarDoc): { problem: string; remedy: string } {
  return { problem: "", remedy: `write ${article(doc.title)} such as ${doc.example}` };
}

/** `a duration`, `an address`. */
export function article(noun: string): string {
  return `${/^[aeiou]/i.test(noun) && !/^UR/.test(noun) ? "an" : "a"} ${noun}`;
}

function described<S extends z.ZodType>(schema: S, meta: Record<string, unknown>): S {
  z.globalRegistry.add(schema, { ...z.globalRegistry.get(schema), ...meta });
  return schema;
}

/**
 * Gives an option its sentence. Unlike zod's own `describe` it makes no copy, which counts at start-up:
 * never call it on a schema that is used in two places.
 */
export function option<S extends z.ZodType>(
  schema: S,
  doc: string,
  more: { default?: string; required?: true } = {},
): S {
  return described(schema, {
    description: doc,
    ...(more.default === undefined ? {} : { "x-default": more.default }),
    ...(more.required === undefined ? {} : { "x-required": true }),
  });
}

const unitMs: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
/** Timers count in 31 bits of milliseconds. */
const longestMs = 2 ** 31 - 1;

/** Reads `250ms`, `15s`, `5m`, `1h` into milliseconds; a bare 0 is allowed. */
export function parseDuration(value: string | number, atLeastMs = 0): Parsed<number> {
  const text = String(value).trim();
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h)$/.exec(text);
  if (match === null && !/^0+$/.test(text)) return unreadableDuration(text);
  const ms = match === null ? 0 : Math.round(Number(match[1]) * unitMs[match[2]!]!);
  if (ms > longestMs) return { problem: `"${text}" is too long`, remedy: "write at most 596h" };
  if (ms < atLeastMs)
    return { problem: `"${text}" is too short`, remedy: `write at least ${formatDuration(atLeastMs)}` };
  return { value: ms };
}

function unreadableDuration(text: string): Parsed<number> {
  if (/^\d+(\.\d+)?$/.test(text)) return { problem: `"${text}" has no unit`, remedy: `write ${text}s or ${text}ms` };
  return { problem: `"${text}" is not a duration`, remedy: "write a number with its unit: 250ms, 15s, 5m or 1h" };
}

/** Milliseconds as the shortest text that `parseDuration` reads. */
export function formatDuration(ms: number): string {
  const unit = ["h", "m", "s"].find((name) => ms !== 0 && ms % unitMs[name]! === 0) ?? "ms";
  return ms === 0 ? "0s" : `${ms / unitMs[unit]!}${unit}`;
}

/** A duration in milliseconds. */
export function duration(atLeastMs = 0): Scalar<number> {
  const doc = {
    title: "duration",
    example: "15s",
    type: ["string", "integer"],
    pattern: "^(\\d+(\\.\\d+)?(ms|s|m|h)|0+)$",
  } as const;
  return scalar(doc, (value) => parseDuration(value, atLeastMs));
}

const unitBytes: Record<string, number> = { "": 1, B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3 };

/** Reads `64KiB`, `1MiB`, `2GiB` or a plain number of bytes. */
export function parseSize(value: string | number): Parsed<number> {
  const text = String(value).trim();
  const match = /^(\d+(?:\.\d+)?)\s*([A-Za-z]*)$/.exec(text);
  const unit = match !== null && Object.hasOwn(unitBytes, match[2]!) ? unitBytes[match[2]!] : undefined;
  if (match !== null && unit !== undefined) return { value: Math.round(Number(match[1]) * unit) };
  const near = match === null ? undefined : /^([kmg])i?b?$/i.exec(match[2]!)?.[1];
  const remedy =
    near === undefined
      ? "write a number of bytes, or one with KiB, MiB or GiB"
      : `write ${match![1]}${near.toUpperCase()}iB`;
  return { problem: `"${text}" is not a size`, remedy };
}

/** Bytes as the shortest text that `parseSize` reads. */
export function formatSize(bytes: number): string {
  const unit = ["GiB", "MiB", "KiB"].find((name) => bytes !== 0 && bytes % unitBytes[name]! === 0);
  return unit === undefined ? `${bytes} bytes` : `${bytes / unitBytes[unit]!}${unit}`;
}

/** A size in bytes, within bounds. */
export function size(least = 0, most = Number.POSITIVE_INFINITY): Scalar<number> {
  const doc = {
    title: "size",
    example: "64KiB",
    type: ["string", "integer"],
    pattern: "^\\d+(\\.\\d+)?\\s*(B|KiB|MiB|GiB)?$",
  } as const;
  return scalar(doc, (value) => {
    const parsed = parseSize(value);
    if (!("value" in parsed) || (parsed.value >= least && parsed.value <= most)) return parsed;
    const [is, bound] = parsed.value < least ? (["too small", least] as const) : (["too large", most] as const);
    return {
      problem: `"${value}" is ${is}`,
      remedy: `write at ${is === "too small" ? "least" : "most"} ${formatSize(bound)}`,
    };
  });
}

const namePattern = "^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$";

/** A name that stands in metrics and events: letters, digits, `.`, `_` and `-`. */
export function name(): Scalar<string> {
  const test = new RegExp(namePattern);
  return scalar({ title: "name", example: "web", type: "string", pattern: namePattern }, (value) =>
    test.test(String(value))
      ? { value: String(value) }
      : {
          problem: `"${value}" is not a name`,
          remedy: "write up to 63 letters, digits, dots, underscores or dashes, the first a letter or digit",
        },
  );
}

/** Any text. */
export function text(title = "text", example = "hello"): Scalar<string> {
  return scalar({ title, example, type: "string", isFreeText: true }, (value) => ({ value: String(value) }));
}

/** A JavaScript regular expression, with the `u` flag; matches anywhere unless anchored. */
export function regex(): Scalar<RegExp> {
  return scalar({ title: "regular expression", example: '"^v[0-9]+$"', type: "string" }, (value) => {
    try {
      return { value: new RegExp(String(value), "u") };
    } catch (error) {
      const reason = (error as Error).message.replace(/^Invalid regular expression: /, "");
      return {
        problem: `"${value}" is not a regular expression: ${reason}`,
        remedy: "write a JavaScript regular expression",
      };
    }
  });
}

/** A path, or a pattern of paths, made absolute: what is relative is relative to the configuration file. */
export function filePath(example = "./page.html"): Scalar<string> {
  return scalar({ title: "path", example, type: "string" }, (value) =>
    value === ""
      ? { problem: "the path is empty", remedy: `write a path such as ${example}` }
      : { value: readingFiles.resolve(String(value)) },
  );
}

/** The path of a file that can be read now; a change of the file is a reason to reload. */
export function readableFile(example = "./page.html"): Scalar<string> {
  return scalar({ title: "path", example, type: "string" }, (value) => readingFiles.require(String(value)));
}
