import * as z from "zod";
import { duration, option, size } from "../config/scalars.ts";
import { defineLogOutput } from "../contracts.ts";

const places = /\{(?!(?:date|hour|input|file|path|fields\.[^{}]+)\})[^}]*\}?/;

const path = option(
  z
    .string()
    .min(1)
    .refine((text) => !places.test(text), {
      message: "has a place that nothing fills in",
      params: { remedy: "write {date}, {hour}, {input}, {file}, {path} or {fields.name}" },
    }),
  "Where to write, relative to this file or absolute; its folders are made. May have places: `{date}` and `{hour}` (UTC), `{input}` (name of the entry), `{file}` (name of the file a line is from), `{path}` (its whole path), `{fields.name}` (one of the entry's fields).",
  { required: true },
);

const mode = z.union([z.string(), z.number()]).transform((value, payload) => {
  const text = String(value);
  if (/^0?[0-7]{3}$/.test(text)) return Number.parseInt(text, 8);
  const params = { remedy: 'write three octal digits in quotes, such as "0640"' };
  payload.issues.push({ code: "custom", input: value, message: `"${text}" is not a file mode`, params });
  return z.NEVER;
});

function rotation() {
  return z.strictObject({
    size: option(size(), "Rotate before the file would become larger than this.").optional(),
    age: option(duration(60_000), "Rotate before lines are added to a file older than this.").optional(),
    keep: option(z.int().min(1).max(999), "Rotated files to keep; the oldest is removed.").prefault(5),
    gzip: option(z.boolean(), "Compress rotated files, in the background.").prefault(false),
  });
}

const options = z.strictObject({
  path,
  format: option(
    z.enum(["text", "json"]),
    "`text`: lines as they were written, parsed records as JSON. `json`: each line as one JSON object, its text as `message` beside the entry's fields.",
  ).prefault("text"),
  sync: option(
    z.boolean(),
    "True: lines count as delivered once the disk has them. False: once the kernel has them, which outlives the sidecar and its container, but not the node's power.",
  ).prefault(true),
  mode: option(mode, 'Permissions of new files, such as "0640".', {
    default: "what the umask leaves of 0644",
  }).optional(),
  rotate: option(
    rotation(),
    "When to rename the file to `path.1`, that one to `path.2`, and so on. Without it the file only grows.",
  ).optional(),
});

/** Appends whole lines to files; the engine is `_file-writer`. */
export default defineLogOutput({
  name: "file",
  doc: "Appends lines to a file, rotates it by size or age, and takes back what could not be written whole, so that a full disk tears and repeats no line.",
  config: options,
  events: {
    log_file_repaired: {
      level: "warn",
      text: "output {output}: {path} ended in the middle of a line; its last {bytes} bytes were cut off and are written anew",
    },
    log_file_not_compressed: {
      level: "warn",
      text: "output {output}: a rotated {path} stays as it is, for it cannot be compressed ({error})",
    },
  },
  metrics: {
    outrigger_log_file_repaired_bytes_total: {
      kind: "counter",
      doc: "Bytes cut off a file that ended in the middle of a line when it was opened.",
      labels: ["output"],
    },
    outrigger_log_file_repeated_bytes_total: {
      kind: "counter",
      doc: "Bytes of batches that failed and could not be cut off again, as somebody else had written behind them: they come twice.",
      labels: ["output"],
    },
  },
  explain: ({ path, rotate, sync }) =>
    `appended to ${path}${rotate === undefined ? "" : `, rotated, ${rotate.keep} kept`}${sync ? "" : ", without waiting for the disk"}`,
  async writes({ path, rotate }, folder) {
    const { resolve } = await import("node:path");
    const samples = ["0", "0.log"].map((sample) => resolve(folder, path.replaceAll(/\{[^}]*\}/g, sample)));
    return [...new Set(samples)].flatMap((name) =>
      rotate === undefined ? [name] : [name, `${name}.1`, `${name}.1.gz`],
    );
  },
  async create({ path, format, sync, mode, rotate }, context) {
    const { resolve } = await import("node:path");
    const { FileWriter } = await import("./_file-writer.ts");
    const rotation = rotate && { size: rotate.size, age: rotate.age, keep: rotate.keep, gzip: rotate.gzip };
    return new FileWriter({ path: resolve(context.folder, path), format, mode, sync, rotate: rotation }, context);
  },
});
