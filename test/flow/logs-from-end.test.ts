/** `from: end` while files are renamed under the very first look. */
import { expect, test } from "bun:test";
import { FollowRun } from "../kit/follow-run.ts";
import { interleave, plainFs } from "../kit/interleaved-fs.ts";

const { renameSync, writeFileSync } = plainFs;

const tickMs = 10;
const names = ["a.log", "b.log", "c.log"];

interface Outcome {
  readonly text: string;
  /** False when the first look was over before. */
  readonly isRotated: boolean;
}

/** Rotates `b.log`, one of three, before the given call of the first look. */
function rotatedAt(call: number, patterns: string[]): Outcome {
  const run = new FollowRun();
  for (const name of names) run.write(name, `old ${name}\n`.repeat(100));
  // Of two files that were made within one tick of the file system's clock nobody can tell which was first.
  Bun.sleepSync(tickMs);
  run.start(patterns, { from: "end" });
  let calls = 0;
  interleave(
    () => run.step(),
    () => {
      if (calls++ !== call) return;
      renameSync(run.path("b.log"), run.path("b.log.1"));
      writeFileSync(run.path("b.log"), "new b.log\n");
    },
  );
  for (const name of names) run.append(name, `later ${name}\n`);
  run.steps(5);
  const { text } = run;
  run.remove();
  return { text, isRotated: calls > call };
}

for (const patterns of [["*.log"], ["*.log*"]]) {
  test(`what was there before is passed over, whenever a file is renamed: ${patterns[0]}`, () => {
    let rotations = 0;
    let renewed = 0;
    for (let call = 0; ; call++) {
      const { text, isRotated } = rotatedAt(call, patterns);
      if (!isRotated) break;
      rotations++;
      const old = text.split("\n").filter((line) => line.startsWith("old"));
      const later = text.split("\n").filter((line) => line.startsWith("later"));
      expect([call, old.slice(0, 1), later.sort()]).toEqual([call, [], names.map((name) => `later ${name}`)]);
      if (text.includes("new b.log")) renewed++;
    }
    expect(rotations).toBeGreaterThan(20);
    // Not where the two walks through the folder that come first saw it already.
    expect(renewed).toBeGreaterThan(rotations / 2);
  });
}
