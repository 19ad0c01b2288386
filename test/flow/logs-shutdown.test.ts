import { afterEach, beforeEach, expect, test } from "bun:test";
import { appendFileSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { Pod, type SidecarProcess } from "../kit/sidecar-process.ts";
import { StalledPipe } from "../kit/stalled-pipe.ts";
import { until } from "../kit/until.ts";

let pod: Pod;
let log: string;

beforeEach(() => {
  pod = new Pod();
  mkdirSync(join(pod.folder, "logs"));
  log = join(pod.folder, "logs/app.log");
});

afterEach(async () => {
  await pod.remove();
});

const config = (grace: string) => `shutdown: { grace: ${grace} }\nlogs:\n  - files: [logs/*.log]\n    to: [stdout]`;
const checkpoint = () => join(pod.folder, "state/logs/checkpoint.json");
const line = (number: number) => `line ${number} ${"x".repeat(90)}\n`;

/** What the checkpoint says was acknowledged. */
function acknowledged(): number {
  const text = existsSync(checkpoint()) ? readFileSync(checkpoint(), "utf8") : "";
  return Number(/"at":(\d+)/.exec(text)?.[1] ?? 0);
}

/** A sidecar whose stdout nobody reads, and that has read more than stdout takes. */
async function stuck(grace: string): Promise<{ sidecar: SidecarProcess; pipe: StalledPipe }> {
  const pipe = await StalledPipe.make();
  writeFileSync(log, Array.from({ length: 5_000 }, (_, i) => line(i)).join(""));
  const sidecar = await pod.start(config(grace), { stdout: pipe.writeFd });
  await until(() => existsSync(checkpoint()), { what: "the first checkpoint" });
  // Those that are due by time have been written: what comes after this comes from the stop.
  await until(() => Date.now() - statSync(checkpoint()).mtimeMs > 2_500, { what: "no more checkpoints" });
  return { sidecar, pipe };
}

/** All of it must come out of the next sidecar, from where the checkpoint says. */
async function expectTheRest(): Promise<void> {
  const from = acknowledged();
  const rest = readFileSync(log, "latin1").slice(from).split("\n").slice(0, -1);
  expect(rest.length).toBeGreaterThan(1_000);
  const next = await pod.start(config("10s"));
  await until(() => next.records.length >= rest.length, { what: "the rest" });
  expect(next.records).toEqual(rest);
  expect(await next.stop("SIGTERM")).toBe(0);
}

test("the app writes on for three seconds after SIGTERM and ends: its last line is delivered", async () => {
  writeFileSync(log, line(0));
  const sidecar = await pod.start(config("30s"));
  await until(() => sidecar.records.length === 1, { what: "the first line" });
  sidecar.signal("SIGTERM");
  let written = 1;
  for (const end = performance.now() + 3_000; performance.now() < end; await Bun.sleep(40)) {
    appendFileSync(log, line(written++));
  }
  appendFileSync(log, "the last words, without a newline");
  expect(await sidecar.exited).toBe(0);
  const all = Array.from({ length: written }, (_, i) => line(i).trimEnd());
  expect(sidecar.records).toEqual([...all, "the last words, without a newline"]);
}, 60_000);

test("nobody takes the lines: the sidecar ends within its grace, and nothing counts as delivered that was not", async () => {
  const { sidecar, pipe } = await stuck("4s");
  const start = performance.now();
  expect(await sidecar.stop("SIGTERM")).toBe(0);
  expect(performance.now() - start).toBeLessThan(8_000);
  // A pipe holds 64 KiB: what it took may be acknowledged, and no byte beyond.
  expect(acknowledged()).toBeLessThanOrEqual(pipe.read().length);
  pipe.close();
  await expectTheRest();
}, 60_000);

test("a second SIGTERM ends it at once, the checkpoint written", async () => {
  const { sidecar, pipe } = await stuck("60s");
  sidecar.signal("SIGTERM");
  await sidecar.event("draining");
  await Bun.sleep(300);
  const before = statSync(checkpoint()).mtimeMs;
  const start = performance.now();
  expect(await sidecar.stop("SIGTERM")).toBe(0);
  // Half a second by design; the rest is what a busy machine takes to end a process.
  expect(performance.now() - start).toBeLessThan(2_500);
  expect(statSync(checkpoint()).mtimeMs).toBeGreaterThan(before);
  pipe.close();
  await expectTheRest();
}, 60_000);

test("two seconds' notice, then SIGKILL: the checkpoint was written when the notice came", async () => {
  const { sidecar, pipe } = await stuck("60s");
  const before = statSync(checkpoint()).mtimeMs;
  sidecar.signal("SIGTERM");
  await until(() => statSync(checkpoint()).mtimeMs > before, {
    what: "a checkpoint after the notice",
    deadlineMs: 2_000,
  });
  await sidecar.kill();
  pipe.close();
  await expectTheRest();
}, 60_000);
