/** Manifests and what `outrigger inject` makes of them; each is injected, injected again, and taken back. */
import { describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { splitDocuments } from "../../src/injector/manifest.ts";
import { parseManifest } from "../../src/injector/yaml-text.ts";
import { asGolden, goldenFolder, manifestGoldens, runInject } from "../kit/manifest-goldens.ts";

const goldens = manifestGoldens();

test("every output belongs to an input", () => {
  const wanted = goldens.flatMap(({ name }) => [`${name}.in.yaml`, `${name}.out.yaml`]);
  expect(readdirSync(goldenFolder).sort()).toEqual(wanted.sort());
  expect(goldens.length).toBeGreaterThan(60);
});

describe("a manifest, injected", () => {
  for (const { name, inputPath, outputPath, words } of goldens) {
    test(name, async () => {
      const actual = asGolden(await runInject(["-f", inputPath, ...words]));
      if (process.env.UPDATE_GOLDEN === "1") writeFileSync(outputPath, actual);
      else expect(actual).toBe(readFileSync(outputPath, "utf8"));
    });
  }
});

/** Where a text is not what it was, though it says the same: an empty value was a null that nobody wrote. */
const saidOtherwise = ["null-fields", "null-mounts-added", "config-map-updated"];

describe("a manifest, injected twice and taken back", () => {
  const folder = mkdtempSync(join(tmpdir(), "outrigger-inject-"));
  const runnable = goldens.filter(({ words }) => !words.includes("--explain"));

  for (const { name, input, inputPath, words } of runnable) {
    test(name, async () => {
      const once = await runInject(["-f", inputPath, ...words]);
      if (once.code !== 0) return expect(once.out).toBe("");
      const path = join(folder, `${name}.yaml`);
      writeFileSync(path, once.out);
      const twice = await runInject(["-f", path, ...words]);
      expect(twice.out).toBe(once.out);
      expect(twice.err).not.toMatch(/: injected$/m);
      // Whoever does it again without the words, as the webhook would, leaves it as it is.
      expect((await runInject(["-f", path])).out).toBe(once.out);
      const back = await runInject(["-f", path, "--uninject"]);
      expect(values(back.out)).toEqual(name === "config-map-updated" ? values(updated(input)) : values(input));
      if (!saidOtherwise.includes(name)) expect(back.out.replace(/^---\n/, "")).toBe(input.replace(/^---\n/, ""));
      return undefined;
    });
  }

  test("(the folder is left clean)", () => rmSync(folder, { recursive: true }));
});

/** A ConfigMap that somebody else made keeps what `-c` wrote into it. */
function updated(input: string): string {
  const text = readFileSync(join(import.meta.dirname, "../../samples/forward-requests/outrigger.yaml"), "utf8");
  return input.replace('outrigger.yaml: "{}"', `outrigger.yaml: ${JSON.stringify(text)}`);
}

function values(text: string): unknown[] {
  return splitDocuments("x", text).map((document) => parseManifest(document.text).toJS());
}
