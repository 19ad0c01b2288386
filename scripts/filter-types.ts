/** What an editor needs to know of `outrigger`: the declarations of `author.ts` and `contracts.ts`, as `outrigger types` writes them. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const author = "src/user-filters/author.ts";

/** Files of declarations by name, as JSON; undefined in a repository without filters in TypeScript. */
export function filterTypes(root: string): string | undefined {
  if (!existsSync(join(root, author))) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "outrigger-types-"));
  try {
    const flags = ["--declaration", "--emitDeclarationOnly", "--ignoreConfig", "--outDir", folder, "--types", "bun"];
    const how = [
      "--target",
      "esnext",
      "--module",
      "preserve",
      "--strict",
      "--skipLibCheck",
      "--exactOptionalPropertyTypes",
    ];
    const tsc = join(root, "node_modules/.bin/tsc");
    const ran = Bun.spawnSync([tsc, ...flags, ...how, "--allowImportingTsExtensions", join(root, author)], {
      cwd: root,
    });
    if (!ran.success) throw new Error(`tsc cannot declare ${author}: ${ran.stdout}${ran.stderr}`);
    const text = (path: string) =>
      readFileSync(join(folder, path), "utf8")
        .replaceAll('"zod"', '"./zod/index.d.ts"')
        .replaceAll('"../contracts.ts"', '"./contracts.d.ts"');
    // A filter needs no shapes of logs, and their files are not written.
    const contracts = text("contracts.d.ts").replace(/^export \* from "\.\/log-contracts\.ts";\n/m, "");
    const files = { "outrigger.d.ts": text("user-filters/author.d.ts"), "contracts.d.ts": contracts };
    return `${JSON.stringify(files, null, 2)}\n`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}
