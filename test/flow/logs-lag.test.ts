import { afterEach, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { appendFileSync, writeFileSync } from "node:fs";
import { PipelineRun } from "../kit/pipeline-run.ts";
import { until } from "../kit/until.ts";

setDefaultTimeout(60_000);

let run: PipelineRun;
beforeEach(() => {
  run = new PipelineRun();
});
afterEach(() => run.remove());

function gauge(name: string, ...labels: string[]): number | undefined {
  const series = run.metrics.series.find(
    (one) => one.name === name && one.labels.map(([, value]) => value).join() === labels.join(),
  );
  return series === undefined ? undefined : run.metrics.values[series.slot];
}

const line = `${"x".repeat(99)}\n`;

test("gauges tell what an output is behind with, and for how long; a healthy one beside it is not", async () => {
  run.other = { deliver: () => new Promise(() => {}) };
  writeFileSync(run.path("a.log"), line.repeat(10));
  await run.start(run.entry([run.path("*.log")], ["stdout", "other"]));
  const lag = (output: string) => gauge("outrigger_log_lag_seconds", "files", output) ?? 0;
  await until(() => lag("other") > 1.5, { what: "a lag" });
  expect(lag("stdout")).toBe(0);
  expect(gauge("outrigger_log_unacknowledged_bytes", "files", "other")).toBe(1_000);
  expect(gauge("outrigger_log_unacknowledged_bytes", "files", "stdout")).toBe(0);
  expect(gauge("outrigger_log_unread_bytes", "files", "other")).toBe(0);
  const [row] = run.pipeline.state();
  expect(row?.outputs.stdout).toEqual({ readBytes: 1_000, acknowledgedBytes: 1_000, waitingMs: 0 });
  expect(row?.outputs.other?.waitingMs).toBeGreaterThan(1_500);
});

test("what is not read because an output is full is told, and is 0 when it has caught up", async () => {
  const megabytes = 12;
  run.stdout.stall();
  writeFileSync(run.path("a.log"), line.repeat(megabytes * 10_000));
  await run.start(run.entry([run.path("*.log")]));
  const unread = () => gauge("outrigger_log_unread_bytes", "files", "stdout");
  const unacknowledged = () => gauge("outrigger_log_unacknowledged_bytes", "files", "stdout");
  await until(() => (unread() ?? 0) > 1_000_000, { what: "unread bytes" });
  expect(unread()! + unacknowledged()!).toBe(megabytes * 1_000_000);
  run.stdout.resume();
  await until(() => unread() === 0 && unacknowledged() === 0, { what: "an end of the backlog" });
  expect(gauge("outrigger_log_lag_seconds", "files", "stdout")).toBe(0);
});

test("files are counted by state, and no more once their entry is gone", async () => {
  for (const name of ["a.log", "b.log"]) writeFileSync(run.path(name), line);
  await run.start(run.entry([run.path("*.log")]));
  const live = () => gauge("outrigger_log_files", "files", "live");
  await until(() => live() === 2, { what: "two files" });
  appendFileSync(run.path("c.log"), line);
  await until(() => live() === 3, { what: "a third one" });
  await run.pipeline.reload([]);
  await until(() => live() === 0, { what: "none" });
});
