/**
 * Compiles the sidecar to one binary.
 *
 * Bytecode saves parsing at start; splitting keeps each drop-in a chunk of its own, so that only what is
 * configured is loaded. Workers are entry points too: every file named `worker.ts` or `…-worker.ts`. In the binary all
 * files lie in one folder, so that a file finds the worker beside it, `new URL("./worker.ts", import.meta.url)`, as it
 * does in the source; and so no two of them may have the same name.
 */
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { BunPlugin } from "bun";

const root = join(import.meta.dirname, "..");

/** A machine that is not this one: Bun's name for it, and a Bun that was built for it. */
export interface Foreign {
  target: "bun-linux-x64" | "bun-linux-arm64";
  /** Path of that Bun; the compiled program is appended to a copy. */
  bun: string;
}

/** The Kafka client's codecs read a file beside them when they are loaded; in the binary there is none, so it goes into the text. */
const codecs: BunPlugin = {
  name: "codecs",
  setup(build) {
    build.onLoad({ filter: /@platformatic\/wasm-utils\/dist\/index\.js$/ }, ({ path }) => {
      const wasm = readFileSync(join(dirname(path), "native.wasm")).toString("base64");
      const read = "readFileSync(new URL('../dist/native.wasm', import.meta.url))";
      const text = readFileSync(path, "utf8");
      if (!text.includes(read)) throw new Error(`${path} reads its WebAssembly in another way than it did`);
      return { contents: text.replace(read, `Buffer.from("${wasm}", "base64")`), loader: "js" };
    });
  },
};

function entryPoints(): string[] {
  const workers = [...new Bun.Glob("src/**/{worker,*-worker}.ts").scanSync({ cwd: root, absolute: true })].sort();
  const names = workers.map((path) => basename(path));
  if (new Set(names).size < names.length) throw new Error(`two workers have the same name: ${names.sort().join(", ")}`);
  return [join(root, "src/main.ts"), ...workers];
}

/** Writes the binary to `outfile`, for this machine unless another one is given. Throws the compiler's messages, a line each. */
export async function compile(outfile: string, foreign?: Foreign): Promise<void> {
  const machine = foreign === undefined ? {} : { target: foreign.target, execPath: foreign.bun };
  const result = await Bun.build({
    plugins: [codecs],
    entrypoints: entryPoints(),
    naming: { entry: "[name].[ext]" },
    target: "bun",
    format: "esm",
    minify: true,
    bytecode: true,
    splitting: true,
    compile: { outfile, autoloadDotenv: false, autoloadBunfig: false, ...machine },
    throw: false,
  });
  if (!result.success) throw new Error(result.logs.join("\n"));
}
