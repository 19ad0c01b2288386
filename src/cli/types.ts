/** `outrigger types`: what an editor needs to know of `outrigger` and `outrigger/zod`, with nothing to install. */
import { defineCommand } from "../contracts.ts";
import { UserError } from "../errors.ts";

/** For a folder that has none of its own. The paths are what matters. */
const tsconfig = {
  compilerOptions: {
    target: "esnext",
    module: "preserve",
    moduleResolution: "bundler",
    lib: ["esnext", "dom"],
    types: [],
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    allowImportingTsExtensions: true,
    paths: {
      outrigger: ["./.outrigger/outrigger.d.ts"],
      "outrigger/zod": ["./.outrigger/zod/index.d.ts"],
    },
  },
};

export default defineCommand({
  name: "types",
  doc: "Write the types of outrigger and outrigger/zod beside your filters, for editors and tsc.",
  operands: { usage: "[folder]", doc: "where your filters are (the folder you are in)" },
  examples: ["outrigger types filters"],
  async run(_options, [folder = "."], io) {
    const { default: own } = await import("../user-filters/types.gen.json");
    const { zodFiles } = await import("./_zod-files.ts");
    const { existsSync, mkdirSync, writeFileSync } = await import("node:fs");
    const { dirname, join } = await import("node:path");
    const zod = Object.entries(zodFiles).map(([path, text]) => [`zod/${path}`, text] as const);
    const config = join(folder, "tsconfig.json");
    try {
      for (const [path, text] of [...Object.entries(own), ...zod]) {
        const file = join(folder, ".outrigger", path);
        mkdirSync(dirname(file), { recursive: true });
        writeFileSync(file, text);
      }
      io.out(`${join(folder, ".outrigger")}: types of outrigger and outrigger/zod\n`);
      if (existsSync(config)) {
        const paths = JSON.stringify({ paths: tsconfig.compilerOptions.paths });
        io.out(`${config} is there already; its compilerOptions need ${paths}\n`);
        return 0;
      }
      writeFileSync(config, `${JSON.stringify(tsconfig, null, 2)}\n`);
      io.out(`${config}: finds them\n`);
      return 0;
    } catch (error) {
      throw new UserError(`types: cannot write to ${folder}: ${error instanceof Error ? error.message : error}`, 1);
    }
  },
});
