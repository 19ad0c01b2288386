/** What the pages say happens, happens. One file, because their commands share the ports of the samples. */
import { describe, expect, test } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { brokenPromise, consoleSteps, runStep } from "./kit/console-blocks.ts";

const root = join(import.meta.dirname, "..");
const env = { ...process.env, CI: undefined, PATH: `${join(root, "node_modules/.bin")}:${process.env.PATH}` };

/** Pages that must be there, and those beside the samples. */
const pages = ["README.md", ...new Bun.Glob("samples/**/README.md").scanSync({ cwd: root })].sort();

/** Commands that cannot run inside a test run: itself, and what needs a cluster or an image builder. */
const mayStayUnrun = /^(npm (test|ci|run (build|check|bench|image))\b|git clone|cd |kubectl |podman |docker |ctr )/;

const busyFactor = 3;

/** Ctrl-C ends npm itself as a signal does, however well its command ended. */
const interrupted = 130;

function stepsOf(page: string) {
  return consoleSteps(page, existsSync(join(root, page)) ? readFileSync(join(root, page), "utf8") : "");
}

test("README.zh-CN.md shows the same commands and outputs as README.md", () => {
  const shown = (page: string) => stepsOf(page).map(({ place: _, ...step }) => step);
  expect(shown("README.zh-CN.md")).toEqual(shown("README.md"));
});

for (const page of pages) {
  describe(page, () => {
    const steps = stepsOf(page);

    test("shows commands", () => expect(steps.length).toBeGreaterThan(0));

    for (const step of steps) {
      if (!step.isRun) {
        test(`leaves unrun only what must be: $ ${step.command}`, () => expect(step.command).toMatch(mayStayUnrun));
        continue;
      }
      test(`${step.place} $ ${step.command}`, async () => {
        let { output, code } = await runStep(step, root, env);
        let broken = brokenPromise(step.expected, output);
        if (broken !== undefined && step.seconds !== undefined) {
          // What is shown after some seconds may take longer on a busy machine; it must come all the same.
          ({ output, code } = await runStep({ ...step, seconds: step.seconds * busyFactor }, root, env));
          broken = brokenPromise(step.expected, output);
        }
        const ended = step.seconds !== undefined && code === interrupted ? step.exit : code;
        expect({ broken, ended, output }).toEqual({ broken: undefined, ended: step.exit, output });
      }, 120_000);
    }
  });
}

describe("a console block", () => {
  const page =
    "intro\n\n```console seconds=6 exit=3\n$ one two\nout\n$ three\n```\n\n```console unrun\n$ kubectl get pods\n```\n";

  test("is read with its place, options, commands and their output", () => {
    const common = { place: "p.md:3", seconds: 6, exit: 3, isRun: true };
    expect(consoleSteps("p.md", page)).toEqual([
      { ...common, command: "one two", expected: ["out"] },
      { ...common, command: "three", expected: [] },
      { place: "p.md:9", command: "kubectl get pods", expected: [], seconds: undefined, exit: 0, isRun: false },
    ]);
  });

  test.each([
    [["a", "b"], "a\nb\n", undefined],
    [["a…c"], "abc", undefined],
    [["a"], "a\nb", "(nothing after) b"],
    [["a", "..."], "a\nb", undefined],
    [["...", "b"], "a\nb", undefined],
    [["...", "b"], "a\nb\nc", "b"],
    [["...", "b", "...", "c"], "a\nb\nx\nb\nc", undefined],
    [["...", "c", "...", "b", "..."], "a\nb\nc", "b"],
    [["...", "a.c", "..."], "abc", "a.c"],
    [[], "anything", undefined],
  ])("%j holds or not for %j", (expected, output, broken) => {
    expect(brokenPromise(expected, output)).toBe(broken);
  });

  test("runs its command, with both streams and the exit code", async () => {
    const [step] = consoleSteps("p.md", "```console\n$ echo out; echo err >&2; exit 4\n```\n");
    expect(await runStep(step!, root, env)).toEqual({ output: "out\nerr\n", code: 4 });
  });

  test("is interrupted after its seconds", async () => {
    const [step] = consoleSteps(
      "p.md",
      "```console seconds=0.3\n$ trap 'echo bye; exit 0' INT; while :; do sleep 0.1; done\n```\n",
    );
    expect(await runStep(step!, root, env)).toEqual({ output: "bye\n", code: 0 });
  });
});
