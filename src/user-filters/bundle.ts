/**
 * Makes one text of a filter file and all it imports:
 *
 *   x.ts, ./part.ts, ./stub.json, npm packages beside them --> Bun's bundler --> code, its hash, the files it came from
 *
 * `outrigger` and `outrigger/zod` are no files: the code reads them from the thread it runs in (`modules.ts`), so that
 * zod is there once, however often a filter is loaded. The bundler is part of the compiled binary too.
 */
import { existsSync } from "node:fs";
import { dirname, extname, resolve } from "node:path";
import type { BunPlugin } from "bun";
import * as z from "zod";
import * as author from "./author.ts";
import { modulesKey } from "./modules.ts";

export interface Bundle {
  /** An expression: a function of CommonJS's five parameters. */
  readonly code: string;
  /** SHA-256 of the code, in hex. */
  readonly hash: string;
}

/** What the bundler did not like, and where; line and column count from 1, and 0 is unknown. */
export interface BundleTrouble {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly message: string;
}

export interface Bundled {
  readonly bundle: Bundle | undefined;
  /** Empty when there is a bundle. */
  readonly troubles: readonly BundleTrouble[];
}

/**
 * Bundles a file. Never rejects for what a user wrote. `files` takes the absolute path of each file that a change of
 * would change the bundle, before it is read, also of those that are not there.
 */
export async function bundleFilter(file: string, files: Set<string>): Promise<Bundled> {
  files.add(file);
  const built = await Bun.build({
    entrypoints: [file],
    target: "bun",
    format: "cjs",
    plugins: [virtualModules, fileNotes(files)],
    throw: false,
  });
  const troubles = built.logs.filter(({ level }) => level === "error").map((log) => troubleOf(log, file));
  const [output, ...more] = built.outputs;
  if (!built.success || output === undefined) return { bundle: undefined, troubles };
  if (more.length > 0) return { bundle: undefined, troubles: [notBundled(file, more)] };
  const code = await output.text();
  const hash = new Bun.CryptoHasher("sha256").update(code).digest("hex");
  return { bundle: { code, hash }, troubles: [] };
}

function notBundled(file: string, outputs: readonly { path: string }[]): BundleTrouble {
  const names = outputs.map(({ path }) => path).join(", ");
  const message = `imports what cannot be part of one file (${names}); import text or JSON, or read the file in create`;
  return { file, line: 0, column: 0, message };
}

/** A file that another one imports without its ending is `.ts` first. */
function fileNotes(files: Set<string>): BunPlugin {
  return {
    name: "files",
    setup(build) {
      build.onResolve({ filter: /^\.{0,2}\// }, ({ path, importer }) => {
        const wanted = resolve(dirname(importer), path);
        files.add(existsSync(wanted) || extname(wanted) !== "" ? wanted : `${wanted}.ts`);
        return undefined;
      });
      build.onLoad({ filter: /.*/, namespace: "file" }, ({ path }) => {
        files.add(path);
        return undefined;
      });
    },
  };
}

const virtualModules: BunPlugin = {
  name: "outrigger",
  setup(build) {
    build.onResolve({ filter: /^outrigger(\/.*)?$/ }, ({ path }) => ({ path, namespace: "outrigger" }));
    build.onLoad({ filter: /.*/, namespace: "outrigger" }, ({ path }) => ({ loader: "js", contents: sourceOf(path) }));
  },
};

/** Calls marked as pure, so that the bundler leaves out the names nobody imports. */
function sourceOf(path: string): string {
  const names = exportsOf(path);
  const get = `const modules = globalThis[Symbol.for("${modulesKey}")], get = (name) => modules["${path}"][name];\n`;
  return (
    get +
    names.map((name, at) => `const m${at} = /* @__PURE__ */ get("${name}");\nexport { m${at} as ${name} };\n`).join("")
  );
}

function exportsOf(path: string): string[] {
  if (path === "outrigger") return Object.keys(author);
  if (path === "outrigger/zod") return Object.keys(z);
  throw new Error(`there is no module "${path}", only "outrigger" and "outrigger/zod"`);
}

interface BuildLog {
  readonly message: string;
  readonly position: { readonly file: string; readonly line: number; readonly column: number } | null;
}

function troubleOf({ message, position }: BuildLog, file: string): BundleTrouble {
  const words = message
    .replace(/\. Maybe you need to "bun install"\?$/, "")
    .replaceAll("outrigger:outrigger", "outrigger");
  if (position === null) return { file, line: 0, column: 0, message: words };
  return { file: position.file || file, line: position.line, column: position.column, message: words };
}
