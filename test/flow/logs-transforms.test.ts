/** Transforms between files and outputs: in the pipeline, on real files. */
import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import parse from "../../src/log-transforms/parse.ts";
import { PipelineRun } from "../kit/pipeline-run.ts";
import { until } from "../kit/until.ts";

let run: PipelineRun;

beforeEach(() => {
  run = new PipelineRun();
});

afterEach(() => run.remove());

const write = (name: string, text: string) => writeFileSync(run.path(name), text);
const append = (name: string, text: string) => appendFileSync(run.path(name), text);
const parseJson = { name: "parse", use: "parse", options: parse.config.parse("json") };

test("lines of JSON come out with their fields; other lines as they are, and are counted", async () => {
  write("a.log", '{"n": 1,   "level":"info"}\nplain\n');
  await run.start(run.entry(["a.log"], ["stdout"], "files", [parseJson]));
  await until(() => run.stdout.text !== "");
  append("a.log", '{"n":2}\n');
  await until(() => run.stdout.text.includes("2"));
  expect(run.stdout.text).toBe('{"n":1,"level":"info"}\nplain\n{"n":2}\n');
  const unparsed = run.metrics.series.find(({ name }) => name === "outrigger_log_unparsed_records_total");
  expect([unparsed?.labels, run.metrics.values[unparsed!.slot]]).toEqual([
    [
      ["input", "files"],
      ["transform", "parse"],
    ],
    1,
  ]);
  expect(await run.pipeline.drain(5_000)).toEqual({ unreadBytes: 0, unsentBytes: 0 });
  const saved = JSON.parse(readFileSync(join(run.folder, "state/logs/checkpoint.json"), "utf8").split("\n")[1]!);
  expect(saved.files[0].outputs.stdout.at).toBe(Buffer.byteLength('{"n": 1,   "level":"info"}\nplain\n{"n":2}\n'));
});
