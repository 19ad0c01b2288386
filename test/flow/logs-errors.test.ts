/** Any one call of the file system fails: no line is lost or comes twice, and no descriptor stays open. */
import { expect, test } from "bun:test";
import { readdirSync, readlinkSync } from "node:fs";
import { FollowRun } from "../kit/follow-run.ts";
import { interleave, plainFs } from "../kit/interleaved-fs.ts";

const { appendFileSync, renameSync, truncateSync, writeFileSync } = plainFs;

/** Call number `at` of the next look fails with EIO. Returns how many calls there were; a look must not throw. */
function stepFailing(run: FollowRun, at: number): number {
  let calls = 0;
  const count = (call: string) => {
    if (call === "closeSync") return; // closes, whatever it says
    if (++calls === at) throw Object.assign(new Error(`EIO: i/o error, ${call}`), { code: "EIO" });
  };
  interleave(() => run.step(), count);
  return calls;
}

function openBelow(folder: string): number {
  const isBelow = (fd: string) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(folder);
    } catch {
      return false;
    }
  };
  return readdirSync("/proc/self/fd").filter(isBelow).length;
}

interface Outcome {
  readonly lines: readonly string[];
  readonly open: number;
}

/** Prepares files, lets one call of the look after it fail, and goes on. */
function outcome(prepare: (run: FollowRun) => void, at: number): Outcome & { readonly calls: number } {
  const run = new FollowRun();
  try {
    writeFileSync(run.path("a.log"), "a one\na two\n");
    writeFileSync(run.path("b.log"), "b one\n");
    run.start(["*.log"]);
    run.step();
    prepare(run);
    const calls = stepFailing(run, at);
    run.steps(4);
    appendFileSync(run.path("a.log"), "a last\n");
    run.steps(2);
    return { calls, lines: run.text.split("\n").sort(), open: openBelow(run.logs) };
  } finally {
    run.follower.close();
    run.remove();
  }
}

function rotate(run: FollowRun): void {
  appendFileSync(run.path("a.log"), "a three\n");
  renameSync(run.path("a.log"), run.path("a.log.1"));
  writeFileSync(run.path("a.log"), "a four\n");
  appendFileSync(run.path("b.log"), "b two\n");
}

test.each([
  ["a rotation", rotate],
  [
    "a rotation while nobody was there",
    (run: FollowRun) => {
      run.checkpoint.write();
      run.follower.close();
      rotate(run);
      run.start(["*.log"]);
    },
  ],
  [
    "a truncation",
    (run: FollowRun) => {
      truncateSync(run.path("a.log"), 0);
      appendFileSync(run.path("a.log"), "a three\n");
      writeFileSync(run.path("c.log"), "c one\n");
    },
  ],
])("a call that fails in the look after %s", (_, prepare) => {
  const { calls, ...right } = outcome(prepare, 0);
  expect(calls).toBeGreaterThan(10);
  const wrong: unknown[] = [];
  for (let at = 1; at <= calls; at++) {
    const { lines, open } = outcome(prepare, at);
    if (!Bun.deepEquals({ lines, open }, right)) wrong.push({ at, lines, open });
  }
  expect(wrong).toEqual([]);
});
