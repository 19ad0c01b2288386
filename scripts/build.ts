/** `npm run build`: one compiled binary, `dist/outrigger`. Words on the command line replace the path it is written to. */
import { statSync } from "node:fs";
import { join, relative } from "node:path";
import { compile } from "./compile.ts";

const outfile = process.argv[2] ?? join(import.meta.dirname, "../dist/outrigger");
try {
  await compile(outfile);
  const megabytes = Math.round(statSync(outfile).size / 1e6);
  process.stdout.write(`${relative(process.cwd(), outfile)}: ${megabytes} MB\n`);
} catch (error) {
  process.stderr.write(`${error instanceof Error ? error.message : error}\n`);
  process.exitCode = 1;
}
