/**
 * Configurations with what `check` says about them: `golden/check/*.golden`, one file each, the configuration above
 * the ruler and the words below it. `UPDATE_GOLDEN=1` rewrites the words; the diff is the review.
 *
 * Comments at the top of a configuration set the scene: `# env NAME=value`, `# file NAME=text`, `# no-env`.
 */
import { afterAll, describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { explain } from "../src/config/explain.ts";
import { formatFaults, inspectConfig } from "../src/config/load.ts";
import { testRegistry } from "./drop-ins-for-config.ts";

const folder = join(import.meta.dirname, "golden/check");
const ruler = `${"-".repeat(80)}\n`;
const root = realpathSync(mkdtempSync(join(tmpdir(), "outrigger-golden-")));

afterAll(() => rmSync(root, { recursive: true }));

/** The scene a configuration's comments ask for: `# env A=b` gives `[["A", "b"]]` for "env". */
function asked(text: string, word: string): [string, string][] {
  return [...text.matchAll(new RegExp(`^# ${word} ([^=\\n]+)=(.*)$`, "gm"))].map((match) => [match[1]!, match[2]!]);
}

async function words(name: string, text: string): Promise<string> {
  const place = join(root, name);
  mkdirSync(place);
  for (const [file, content] of asked(text, "file")) {
    mkdirSync(dirname(join(place, file)), { recursive: true });
    writeFileSync(join(place, file), `${content}\n`);
  }
  const env = { OUTRIGGER_STATE_DIR: join(place, "state"), ...Object.fromEntries(asked(text, "env")) };
  const keepReferences = /^# no-env$/m.test(text);
  const result = await inspectConfig(join(place, "outrigger.yaml"), {
    env,
    text,
    registry: testRegistry,
    keepReferences,
  });
  return said(result).replaceAll(`${place}/`, "");
}

function said(result: Awaited<ReturnType<typeof inspectConfig>>): string {
  if (result.ok === false) return `${formatFaults(result.faults)}\n`;
  if (result.ok === "unresolved") return `not known without the environment: ${result.paths.join(", ")}\n`;
  return explain(result.config, result.dropIns, "/var/lib/outrigger");
}

function split(golden: string): { config: string; expected: string | undefined } {
  const at = golden.indexOf(ruler);
  return at === -1
    ? { config: golden, expected: undefined }
    : { config: golden.slice(0, at), expected: golden.slice(at + ruler.length) };
}

describe("check says of a configuration", () => {
  const cases = readdirSync(folder).filter((file) => file.endsWith(".golden"));

  test("that there are cases at all", () => expect(cases.length).toBeGreaterThan(30));

  for (const file of cases) {
    test(file.replace(/\.golden$/, "").replaceAll("-", " "), async () => {
      const path = join(folder, file);
      const { config, expected } = split(readFileSync(path, "utf8"));
      const actual = await words(file, config);
      if (process.env.UPDATE_GOLDEN === "1") writeFileSync(path, `${config}${ruler}${actual}`);
      else expect(actual).toBe(expected ?? "");
    });
  }
});
