import * as z from "zod";
import { option, size, text } from "../config/scalars.ts";
import { defineLogTransform } from "../contracts.ts";

const formats = ["cri", "docker"] as const;

const full = z.strictObject({
  format: option(z.enum(formats), "`cri` as containerd and CRI-O write it, or `docker` for its json-file."),
  stream: option(
    text("field", "stream"),
    "A field to keep the stream in, stdout or stderr, beside `message`.",
  ).optional(),
  attributes: option(
    text("field", "attrs"),
    "A field to keep docker's `attrs` in, labels and the like, beside `message`.",
  ).optional(),
  maxBytes: option(
    size(),
    "Bytes after which a line that comes in pieces is ended, and counted; what follows is a record of its own.",
  ).prefault("1MiB"),
});

type Options = z.output<typeof full>;

/** A piece whose next one does not come is written soon after it: it was cut off by a stop. */
const quietMs = 5_000;

/** Takes off what a container runtime wrote around lines; how is in `logs/shaping/unwrapping`. */
export default defineLogTransform<Options>({
  name: "unwrap",
  doc: "Takes off what a container runtime wrote around each line, and joins the pieces of long ones.",
  config: z.union([full, z.enum(formats).transform((format) => full.parse({ format }))]),
  explain: ({ format, stream, attributes }) => {
    const kept = [
      ...(stream === undefined ? [] : [`; its stream is kept as ${stream}`]),
      ...(attributes === undefined ? [] : [`; its attributes are kept as ${attributes}`]),
    ];
    return `the line is taken out of what ${format} wrote around it, with its time; pieces of a line are joined, stream by stream${kept.join("")}.`;
  },
  async create({ format, stream, attributes, maxBytes }, { input, transform, metrics }) {
    const { Unwrapper } = await import("../logs/shaping/unwrapping/unwrapper.ts");
    const kept = { stream, attributes };
    const wrapper =
      format === "cri"
        ? new (await import("../logs/shaping/unwrapping/cri.ts")).Cri(kept)
        : new (await import("../logs/shaping/unwrapping/docker.ts")).Docker(kept);
    return new Unwrapper({
      wrapper,
      quietMs,
      limits: { bytes: maxBytes, lines: Number.POSITIVE_INFINITY },
      cuts: metrics.counter("outrigger_log_join_cuts_total", { input, transform }),
      unparsed: metrics.counter("outrigger_log_unparsed_records_total", { input, transform }),
    });
  },
});
