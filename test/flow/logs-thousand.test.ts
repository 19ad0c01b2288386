/** What a look at a thousand files may cost. CPU time, so that a busy machine changes little; bounds are far above what is usual. */
import { expect, test } from "bun:test";
import { appendFileSync, writeFileSync } from "node:fs";
import { type FollowRun, followInEachTest } from "../kit/follow-run.ts";

let run: FollowRun;

followInEachTest((fresh) => {
  run = fresh;
});

const files = 1_000;

function cpuMs(act: () => void): number {
  const before = process.cpuUsage();
  act();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1_000;
}

function writeAll(nameOf: (n: number) => string, text: string): void {
  for (let n = 0; n < files; n++) writeFileSync(run.path(nameOf(n)), text);
}

const numbered = (n: number) => `app-${String(n).padStart(4, "0")}.log`;

test("the first look at a thousand files does not compare each with each", () => {
  writeAll(numbered, "first\n");
  run.start(["*.log"]);
  expect(cpuMs(() => run.step())).toBeLessThan(1_000);
  expect(run.text.length).toBe(files * 6);
});

test("two hundred files of a thousand that get their first lines at once do not make the next look late", () => {
  run.start(["*.log"]);
  run.step();
  writeAll(numbered, "");
  run.steps(2);
  for (let n = 0; n < 200; n++) appendFileSync(run.path(numbered(n)), "first\n");
  expect(cpuMs(() => run.step())).toBeLessThan(1_000);
  expect(run.text.length).toBe(200 * 6);
});

test("empty files whose names look like copies of each other are not compared with all others each second", () => {
  writeAll((n) => `q-${n}.log`, "");
  run.start(["*.log"]);
  run.steps(2);
  expect(cpuMs(() => run.step())).toBeLessThan(350);
});
