/** The commands of `docs/capture.md`, run as they stand in a pod of the test's own, and its configurations. */
import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brokenPromise, consoleSteps, runStep } from "../kit/console-blocks.ts";
import { Stage, sidecarGroup, whyNot } from "./stage.ts";

setDefaultTimeout(120_000);

const root = join(import.meta.dirname, "../..");
const page = await Bun.file(join(root, "docs/capture.md")).text();
const config = /```yaml\n(inbound:[\s\S]*?)```/.exec(page)?.[1] ?? "";

describe.skipIf(whyNot !== undefined)("docs/capture.md", () => {
  let stage: Stage;
  let programs: string;
  beforeAll(async () => {
    stage = await Stage.open();
    // What stands in for the binary also excludes the group by which a sidecar of a test is told.
    programs = mkdtempSync(join(tmpdir(), "capture-page-"));
    const also = `--exclude-gids ${sidecarGroup}`;
    const script = `#!/bin/sh\ncase "$*" in *--print*|*--undo*) ;; *) set -- "$@" ${also};; esac\nexec "${process.execPath}" "${root}/src/main.ts" "$@"\n`;
    writeFileSync(join(programs, "outrigger"), script, { mode: 0o755 });
  });
  afterAll(async () => {
    await stage.close();
    rmSync(programs, { recursive: true });
  });

  test("keeps its promises", async () => {
    const steps = consoleSteps("docs/capture.md", page);
    expect(steps.length).toBeGreaterThan(7);
    let isStarted = false;
    for (const step of steps) {
      if (step.command.startsWith("curl") && !isStarted) {
        await stage.sidecar(`health: 7411\n${config}`);
        isStarted = true;
      }
      const command = `${stage.pod.words.join(" ")} sh -c '${step.command}'`;
      const env = { ...process.env, PATH: `${programs}:${process.env.PATH}` };
      const { output, code } = await runStep({ ...step, command }, root, env);
      const broken = brokenPromise(step.expected, output);
      expect({ place: step.place, code, broken, output: broken && output }).toEqual({
        place: step.place,
        code: step.exit,
        broken: undefined,
        output: undefined,
      });
    }
  });
});
