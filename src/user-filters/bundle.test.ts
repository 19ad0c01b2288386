import { afterAll, expect, test } from "bun:test";
import { join } from "node:path";
import * as z from "zod";
import { FilterFolder, imports } from "../../test/kit/user-filters.ts";
import { bundleFilter } from "./bundle.ts";
import { isUserFilter, keepFilterCode, loadCounts, loadFilterCode } from "./modules.ts";

const folder = new FilterFolder();
afterAll(() => folder.remove());

async function bundled(file: string) {
  const files = new Set<string>();
  const { bundle, troubles } = await bundleFilter(file, files);
  const shown = (text: string) => text.replaceAll(`${folder.folder}/`, "");
  return { bundle, troubles: troubles.map((one) => ({ ...one, file: shown(one.file) })), files: [...files].map(shown) };
}

test("zod is the process's own, not a copy in each filter", async () => {
  const source = folder.filter("own.ts", `phase: "shape", config: z.strictObject({ a: z.string() }), request() {}`);
  const { bundle } = await bundled(source);
  expect(bundle!.code.length).toBeLessThan(4096);
  const filter = loadFilterCode({ source, ...bundle! });
  expect(isUserFilter(filter) && filter.config).toBeInstanceOf(z.ZodType);
});

test("packages beside the file, JSON, text and built-in modules can be imported", async () => {
  // Of its own: that a folder had no packages is remembered by the bundler for as long as the process lives.
  using folder = new FilterFolder();
  folder.write("node_modules/greeting/package.json", `{ "name": "greeting", "main": "index.js" }`);
  folder.write("node_modules/greeting/index.js", `module.exports = { greet: (name) => "hello " + name };`);
  folder.write("name.json", `{ "name": "Ada" }`);
  folder.write("lib/mark.txt", "!");
  const source = folder.write(
    "many.ts",
    `${imports}import { greet } from "greeting";
import { name } from "./name.json";
import mark from "./lib/mark.txt" with { type: "text" };
import { basename } from "node:path";
export default defineFilter({ phase: "shape", doc: greet(name) + mark + basename("/a/b"), request() {} });`,
  );
  const { bundle, files, troubles } = await bundled(source);
  expect(troubles).toEqual([]);
  expect(loadFilterCode({ source, ...bundle! })).toMatchObject({ doc: "hello Ada!b" });
  for (const file of ["many.ts", "name.json", "lib/mark.txt"]) expect(files).toContain(join(folder.folder, file));
});

test("the same text is the same version, and is run once; another one is another", async () => {
  const source = folder.filter("same.ts", `phase: "shape", doc: "one", request() {}`);
  const { bundle: one } = await bundled(source);
  const before = loadCounts().loads;
  const filter = loadFilterCode({ source, ...one! });
  expect(loadFilterCode({ source, ...(await bundled(source)).bundle! })).toBe(filter);
  expect(loadCounts().loads).toBe(before + 1);
  folder.filter("same.ts", `phase: "shape", doc: "two", request() {}`);
  const { bundle: two } = await bundled(source);
  expect(two!.hash).not.toBe(one!.hash);
  loadFilterCode({ source, ...two! });
  expect(keepFilterCode(new Set([two!.hash]))).toBe(true);
  expect(loadFilterCode({ source, ...one! })).not.toBe(filter);
});

test("a file that cannot be bundled is told by line and column, and what it looked for is watched", async () => {
  const source = folder.write(
    "wrong.ts",
    `import { defineFilter } from "outrigger";\nimport x from "./missing";\nexport default x;`,
  );
  const { bundle, troubles, files } = await bundled(source);
  expect(bundle).toBeUndefined();
  expect(troubles).toEqual([{ file: "wrong.ts", line: 2, column: 15, message: 'Could not resolve: "./missing"' }]);
  expect(files).toContain("missing.ts");
});

test("a name that outrigger does not have is a fault of the import", async () => {
  const { troubles } = await bundled(
    folder.write("name.ts", `import { defineFliter } from "outrigger";\nexport default defineFliter;`),
  );
  expect(troubles).toMatchObject([{ file: "name.ts", line: 1, column: 10 }]);
});

test("a file that would be copied beside the bundle is refused", async () => {
  folder.write("page.bin", "bytes");
  const source = folder.write("asset.ts", `import page from "./page.bin" with { type: "file" };\nexport default page;`);
  const { troubles } = await bundled(source);
  expect(troubles[0]?.message).toContain("cannot be part of one file");
});
