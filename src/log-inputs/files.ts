import * as z from "zod";
import { option, size } from "../config/scalars.ts";
import { defineLogInput } from "../contracts.ts";

/** Those of the WHATWG encodings that logs are written in and lines can be found in; TextDecoder knows each. */
const encodings = [
  "auto",
  "utf-8",
  "utf-16le",
  "utf-16be",
  "gbk",
  "gb18030",
  "big5",
  "shift_jis",
  "euc-jp",
  "euc-kr",
  "latin1",
  "iso-8859-2",
  "iso-8859-5",
  "iso-8859-7",
  "iso-8859-15",
  "windows-1250",
  "windows-1251",
  "windows-1252",
  "windows-1253",
  "windows-1254",
  "windows-1255",
  "windows-1256",
  "windows-1257",
  "windows-1258",
  "windows-874",
  "koi8-r",
  "koi8-u",
  "ibm866",
  "macintosh",
] as const;
const [leastLine, mostLine] = [1024, 64 * 1024 ** 2];

const pattern = z.string().min(1);
const patterns = z
  .array(pattern)
  .min(1)
  .describe(
    "Files to follow: `*`, `?`, `[a-z]`, `{a,b}`, and `**` for any number of folders. They need not exist yet.",
  );

const full = z.strictObject({
  paths: patterns,
  exclude: z
    .array(pattern)
    .default([])
    .describe("Patterns of files to leave out; one without a slash is compared with the name alone."),
  from: z
    .enum(["beginning", "end"])
    .default("beginning")
    .describe("Where to begin in files that are there at the very first start. Later ones are always read whole."),
  encoding: z
    .enum(encodings)
    .default("auto")
    .describe(
      "What the bytes of files mean; lines leave as UTF-8. `auto`: UTF-16 where a file begins with its byte order mark, otherwise UTF-8, which leaves byte for byte. A byte order mark is never part of a line.",
    ),
  maxLine: option(
    size()
      .refine((bytes) => bytes >= leastLine && bytes <= mostLine, "must be from 1KiB to 64MiB")
      .default(1024 ** 2),
    "Longest line, in bytes of the file. A longer one is cut and ends in ` [truncated: N bytes left out]`, which counts as part of it; the next line is whole.",
    { default: "1MiB" },
  ),
  archives: z
    .boolean()
    .default(false)
    .describe(
      "True: read rotated files that were compressed with gzip or zstd, told by their first bytes. What was read before a file was compressed does not come again; of an archive that holds nothing known, and that `paths` match, every line comes. False: compressed files are left out.",
    ),
  hold: option(
    size().default(256 * 1024 ** 2),
    "Unread bytes of deleted files, all together, that are kept for outputs that take nothing. Above it the oldest files are given up, which is counted and said.",
    { default: "256MiB" },
  ),
});

/** Follows files through rotation, truncation and restarts; the engine is `logs/following/follow`. */
export default defineLogInput({
  name: "files",
  doc: "Lines of files matched by patterns, followed through rotation, truncation and restarts.",
  config: z.union([patterns.transform((paths) => full.parse({ paths })), full]),
  explain: ({ paths, exclude, from }) =>
    `every line of ${paths.join(", ")}${exclude.length > 0 ? ` but not of ${exclude.join(", ")}` : ""}${from === "end" ? ", from their end at the very first start" : ""}`,
  async reads({ paths, exclude }, folder, path) {
    const { Exclusion, Glob, absoluteExclusion, absolutePattern } = await import("../logs/following/glob.ts");
    if (new Exclusion(exclude.map((one) => absoluteExclusion(one, folder))).takes(path)) return false;
    return paths.some((pattern) => new Glob(absolutePattern(pattern, folder)).matches(path));
  },
  async create({ paths, exclude, archives, ...options }, context) {
    const { absoluteExclusion, absolutePattern } = await import("../logs/following/glob.ts");
    const { Follower } = await import("../logs/following/follow.ts");
    const { Archives } = archives ? await import("../logs/following/archives/archives.ts") : {};
    return new Follower(
      {
        paths: paths.map((path) => absolutePattern(path, context.folder)),
        exclude: exclude.map((path) => absoluteExclusion(path, context.folder)),
        ...options,
        archives: Archives === undefined ? undefined : (following) => new Archives(following),
      },
      context,
    );
  },
});
