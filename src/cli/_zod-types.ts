/** The declarations of zod. Run as a macro: the compiled binary has them as text, and the source reads them at once. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** What `outrigger/zod` is made of. Its messages in other languages, 60 files of them, are left out. */
const folders = ["v4/classic", "v4/core"];

/** Texts by path below a folder of zod's own. */
export function zodTypes(): Record<string, string> {
  const root = dirname(Bun.resolveSync("zod/package.json", import.meta.dirname));
  const paths = folders.flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((file) => file.endsWith(".d.ts"))
      .sort()
      .map((file) => `${folder}/${file}`),
  );
  const text = (path: string) => readFileSync(join(root, path), "utf8").replace(/^export \* as locales from .*\n/m, "");
  return Object.fromEntries([...paths, "index.d.ts", "LICENSE"].map((path) => [path, text(path)]));
}
