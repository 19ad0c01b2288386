/** What docs/injection.md shows happens. */
import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { brokenPromise, consoleSteps, runStep } from "./kit/console-blocks.ts";

const root = join(import.meta.dirname, "..");
const page = "docs/injection.md";
const steps = consoleSteps(page, readFileSync(join(root, page), "utf8")).filter(({ isRun }) => isRun);

test("the page shows commands", () => expect(steps.length).toBeGreaterThan(0));

for (const step of steps) {
  test(`${step.place} $ ${step.command}`, async () => {
    const { output, code } = await runStep(step, root, { ...process.env });
    expect({ broken: brokenPromise(step.expected, output), code, output }).toEqual({
      broken: undefined,
      code: step.exit,
      output,
    });
  }, 60_000);
}
