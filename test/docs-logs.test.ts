/** What docs/logs.md says happens to a line, happens: each configuration is run on the lines shown below it. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadConfig } from "../src/config/load.ts";
import { PipelineRun } from "./kit/pipeline-run.ts";

const page = await Bun.file(join(import.meta.dirname, "../docs/logs.md")).text();

/** A configuration with lines that go in and lines that come out. */
interface Example {
  readonly config: string;
  readonly input: string;
  readonly output: string;
}

interface Fence {
  readonly kind: string;
  readonly text: string;
}

const found = page.matchAll(/^```(yaml|log in|log out)\n([\s\S]*?)^```$/gm);
const fences = [...found].map(([, kind = "", text = ""]): Fence => ({ kind, text }));
const examples = fences.flatMap(({ kind, text: config }, at): Example[] => {
  const [input, output] = fences.slice(at + 1, at + 3);
  if (kind !== "yaml" || input?.kind !== "log in" || output?.kind !== "log out") return [];
  return [{ config, input: input.text, output: output.text }];
});

test("the page has examples", () => expect(examples.length).toBeGreaterThan(5));

describe("what the page shows", () => {
  let run: PipelineRun;

  beforeEach(() => {
    run = new PipelineRun();
  });

  afterEach(() => run.remove());

  for (const { config, input, output } of examples) {
    test(`${config.split("\n").slice(2).join(" ").trim() || "without transforms"}: ${output.split("\n")[0]}`, async () => {
      const text = config.replaceAll("/var/log/app/", `${run.logs}/`);
      const env = { OUTRIGGER_STATE_DIR: join(run.folder, "state") };
      const loaded = await loadConfig("outrigger.yaml", { env, text });
      if (!loaded.ok) throw new Error(JSON.stringify(loaded.faults));
      writeFileSync(run.path("app.log"), input);
      await run.start(...loaded.config.logs);
      await run.pipeline.drain(10_000);
      expect(Buffer.from(run.stdout.text, "latin1").toString()).toBe(output);
    });
  }
});
