import * as z from "zod";
import { defineLogInput } from "../contracts.ts";

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
});

/** Follows files through rotation, truncation and restarts; the engine is `logs/follow`. */
export default defineLogInput({
  name: "files",
  doc: "Lines of files matched by patterns, followed through rotation, truncation and restarts.",
  config: z.union([patterns.transform((paths) => full.parse({ paths })), full]),
  explain: ({ paths, exclude, from }) =>
    `every line of ${paths.join(", ")}${exclude.length > 0 ? ` but not of ${exclude.join(", ")}` : ""}${from === "end" ? ", from their end at the very first start" : ""}`,
  async reads({ paths, exclude }, folder, path) {
    const { resolve } = await import("node:path");
    const { Exclusion, Glob } = await import("../logs/glob.ts");
    const absolute = (pattern: string) =>
      pattern.startsWith("**/") || !pattern.includes("/") ? pattern : resolve(folder, pattern);
    if (new Exclusion(exclude.map(absolute)).takes(path)) return false;
    return paths.some((pattern) => new Glob(resolve(folder, pattern)).matches(path));
  },
  async create({ paths, exclude, from }, context) {
    const { resolve } = await import("node:path");
    const { Follower } = await import("../logs/follow.ts");
    const absolute = (path: string) => (path.startsWith("**/") ? path : resolve(context.folder, path));
    return new Follower(
      {
        paths: paths.map((path) => resolve(context.folder, path)),
        exclude: exclude.map((path) => (path.includes("/") ? absolute(path) : path)),
        from,
      },
      context,
    );
  },
});
