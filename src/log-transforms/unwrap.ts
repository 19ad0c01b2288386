import * as z from "zod";
import { defineLogTransform } from "../contracts.ts";

const formats = ["cri", "docker"] as const;

const unitBytes: Readonly<Record<string, number>> = { KiB: 1024, MiB: 1024 * 1024 };

const size = z
  .union([z.int().min(1), z.string().regex(/^\d+(KiB|MiB)$/)])
  .transform((value) =>
    typeof value === "number" ? value : Number.parseInt(value, 10) * unitBytes[value.replace(/\d+/, "")]!,
  );

const full = z.strictObject({
  format: z.enum(formats).describe("`cri` as containerd and CRI-O write it, or `docker` for its json-file."),
  stream: z.string().min(1).optional().describe("A field to keep the stream in, stdout or stderr, beside `message`."),
  attributes: z
    .string()
    .min(1)
    .optional()
    .describe("A field to keep docker's `attrs` in, labels and the like, beside `message`."),
  maxBytes: size
    .default(1024 * 1024)
    .describe("Bytes after which a line that comes in pieces is ended; what follows is a record of its own."),
});

type Options = z.output<typeof full>;

/** A piece whose next one does not come is written soon after it: it was cut off by a stop. */
const quietMs = 5_000;

/** Takes off what a container runtime wrote around lines; how is in `logs/unwrapping`. */
export default defineLogTransform<Options>({
  name: "unwrap",
  doc: "Takes off what a container runtime wrote around each line, and joins the pieces of long ones.",
  config: z.union([full, z.enum(formats).transform((format) => full.parse({ format }))]),
  explain: ({ format, stream, attributes }) => {
    const kept = [
      stream === undefined ? "" : `its stream as ${stream}`,
      attributes === undefined ? "" : `its attributes as ${attributes}`,
    ];
    const fields = kept.filter(Boolean).join(" and ");
    return `the line is taken out of what ${format} wrote around it, with its time; pieces of a line are joined, stream by stream${fields === "" ? "" : `; ${fields} stay beside it`}.`;
  },
  async create({ format, stream, attributes, maxBytes }, { input, transform, metrics }) {
    const { Unwrapper } = await import("../logs/unwrapping/unwrapper.ts");
    const kept = { stream, attributes };
    const wrapper =
      format === "cri"
        ? new (await import("../logs/unwrapping/cri.ts")).Cri(kept)
        : new (await import("../logs/unwrapping/docker.ts")).Docker(kept);
    return new Unwrapper({
      wrapper,
      quietMs,
      limits: { bytes: maxBytes, lines: Number.POSITIVE_INFINITY },
      cuts: metrics.counter("outrigger_log_join_cuts_total", { input, transform }),
      unparsed: metrics.counter("outrigger_log_unparsed_records_total", { input, transform }),
    });
  },
});
