/** Whatever stands in the file: a configuration or faults, never an exception. */
import { afterAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { parse, stringify } from "yaml";
import { testRegistry } from "../../test/drop-ins-for-config.ts";
import { explain } from "./explain.ts";
import { inspectConfig } from "./load.ts";

const seed = Number(process.env.FAST_CHECK_SEED ?? Math.floor(Math.random() * 2 ** 31));
const root = mkdtempSync(join(tmpdir(), "outrigger-property-"));
afterAll(() => rmSync(root, { recursive: true }));

const goldens = join(import.meta.dirname, "../../test/golden/check");
const texts = readdirSync(goldens).map((name) => readFileSync(join(goldens, name), "utf8").split(/^-{80}$/m)[0] ?? "");
const env = { OUTRIGGER_STATE_DIR: root, HOME: root, PORT: "8080", X: "true" };

async function mustBeToldOf(text: string): Promise<void> {
  for (const keepReferences of [false, true]) {
    const result = await inspectConfig(join(root, "outrigger.yaml"), {
      env,
      text,
      registry: testRegistry,
      keepReferences,
    });
    if (result.ok === true) expect(explain(result.config, result.dropIns, root)).toEndWith(".\n");
    if (result.ok !== false) continue;
    expect(result.faults.length).toBeGreaterThan(0);
    const lines = text.split(/\r?\n|\r/).length;
    for (const fault of result.faults) {
      expect(fault.line).toBeWithin(1, lines + 2);
      expect(fault.column).toBeGreaterThan(0);
      expect(fault.problem.length * fault.remedy.length).toBeGreaterThan(0);
    }
  }
}

/** Bits of YAML that mean something, and some that do not. */
const scrap = fc.oneof(
  fc.constantFrom(
    "\t",
    "\n",
    "  ",
    ": ",
    "- ",
    "[",
    "]",
    "{",
    "}",
    "&a ",
    "*a",
    "<<: *a",
    "!x ",
    "'",
    '"',
    "|\n",
    "#",
    "---\n",
    "...\n",
    "? ",
    "%",
    "@",
    "\0",
    "\r",
    "\ufeff",
  ),
  fc.constantFrom(
    "${X}",
    "${PORT}",
    "${NOPE}",
    "${file:x}",
    "$${",
    "${",
    "null",
    "~",
    "-1",
    "1e999",
    "0x10",
    ".nan",
    "__proto__: ",
    "to: ",
    "listen: 8080\n",
  ),
  fc.string({ unit: "binary", maxLength: 8 }),
);

/** A cut in a text: from, how much goes, what comes instead. */
const cut = fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.nat(20), scrap);

test(`a right file with cuts in its text (seed ${seed})`, async () => {
  const mutated = fc
    .tuple(fc.constantFrom(...texts), fc.array(cut, { minLength: 1, maxLength: 4 }))
    .map(([text, cuts]) =>
      cuts.reduce((all, [place, length, instead]) => {
        const from = Math.floor(place * all.length);
        return all.slice(0, from) + instead + all.slice(from + length);
      }, text),
    );
  await fc.assert(fc.asyncProperty(mutated, mustBeToldOf), { seed, numRuns: 1500 });
}, 60_000);

/** The value with another one at a random place in it. */
function withOneReplaced(value: unknown, steps: readonly number[], instead: unknown): unknown {
  const [step, ...rest] = steps;
  if (step === undefined || typeof value !== "object" || value === null) return instead;
  const keys = Object.keys(value);
  const key = keys[step % Math.max(1, keys.length)];
  if (key === undefined) return instead;
  const member = withOneReplaced((value as Record<string, unknown>)[key], rest, instead);
  return Array.isArray(value)
    ? value.map((item, at) => (String(at) === key ? member : item))
    : { ...value, [key]: member };
}

test(`a right document with another value somewhere (seed ${seed})`, async () => {
  const documents = texts.flatMap((text) => {
    try {
      return [parse(text, { merge: true, logLevel: "error" }) as unknown];
    } catch {
      return [];
    }
  });
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 2 }),
    scrap,
    fc.constantFrom(0, -1, 1.5, 2 ** 40, "8080", true, null, [], {}, [[]], { name: 1 }),
  );
  const mutated = fc
    .tuple(fc.constantFrom(...documents), fc.array(fc.nat(20), { maxLength: 7 }), odd)
    .map(([document, steps, instead]) => stringify(withOneReplaced(document, steps, instead)));
  await fc.assert(fc.asyncProperty(mutated, mustBeToldOf), { seed, numRuns: 1500 });
}, 60_000);
