import * as z from "zod";
import { filePath, option, size } from "../config/scalars.ts";
import { defineLogInput } from "../contracts.ts";

const [leastLine, mostLine] = [1024, 64 * 1024 ** 2];
/** The spool has so many parts, each of which must hold a line: see `logs/following/pipe/spool`. */
const parts = 8;

const full = z
  .strictObject({
    path: option(filePath("/run/app/log.fifo"), "Where the named pipe is; it is made where there is none."),
    mode: z
      .string()
      .regex(/^0?[0-7]{3}$/, "must be three octal digits in quotes")
      .default("0622")
      .describe(
        "Permissions of a pipe that has to be made, as octal digits in quotes: others may write to it, only we read.",
      ),
    spool: option(
      size().default(64 * 1024 ** 2),
      "Disk in the state folder for lines that were read and are not delivered. When it is full the pipe is not read, so that its writers wait.",
      { default: "64MiB" },
    ),
    maxLine: option(
      size()
        .refine((bytes) => bytes >= leastLine && bytes <= mostLine, "must be from 1KiB to 64MiB")
        .default(1024 ** 2),
      "Longest line. A longer one is cut and ends in ` [truncated: N bytes left out]`, which counts as part of it; the next line is whole.",
      { default: "1MiB" },
    ),
  })
  .refine(({ spool, maxLine }) => spool >= parts * maxLine, `\`spool\` must be at least ${parts} times \`maxLine\``);

/** Reads a named pipe; the engine is `logs/following/pipe`. */
export default defineLogInput({
  name: "pipe",
  doc: "Lines that programs write to a named pipe. They may come and go; what was read is kept on disk until it is delivered.",
  config: z.union([full, filePath("/run/app/log.fifo").transform((path) => full.parse({ path }))]),
  explain: ({ path }) => `every line written to the named pipe ${path}`,
  async create({ mode, ...options }, context) {
    const { PipeInput } = await import("../logs/following/pipe/pipe-input.ts");
    return PipeInput.open({ ...options, mode: Number.parseInt(mode, 8) }, context);
  },
});
