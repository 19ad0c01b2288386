/** What a look that asks only open files and folders must not miss; the engine is logs/glance. */
import { expect, test } from "bun:test";
import {
  mkdirSync,
  renameSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { type FollowRun, followInEachTest } from "../kit/follow-run.ts";

let run: FollowRun;

followInEachTest((fresh) => {
  run = fresh;
});

/** Looks until glances do: the folders have been as they are for long. */
function settle(...folders: string[]): void {
  for (const folder of [run.logs, ...folders]) utimesSync(folder, 1_000, 1_000);
  run.steps(6);
}

function startWith(count: number): void {
  for (let n = 0; n < count; n++) run.write(`app-${n}.log`, `first of ${n}\n`);
  run.start(["*.log"]);
}

test("glances are taken: a new name in a folder whose time does not tell is found after ten seconds, not before", () => {
  startWith(2);
  settle();
  run.write("new.log", "from a new file\n");
  utimesSync(run.logs, 1_000, 1_000);
  run.steps(3);
  expect(run.text).not.toContain("from a new file");
  run.steps(10);
  expect(run.text).toContain("from a new file\n");
});

test("a new name is found by the next look", () => {
  startWith(2);
  settle();
  run.write("new.log", "from a new file\n");
  run.step();
  expect(run.text).toContain("from a new file\n");
});

test("lines of a file that was quiet for long are seen a second later, among a hundred", () => {
  startWith(100);
  settle();
  run.steps(20);
  run.append("app-77.log", "after a pause\n");
  run.step();
  expect(run.text).toContain("after a pause\n");
});

test("a rename and its successor are found by the next look", () => {
  startWith(1);
  settle();
  run.append("app-0.log", "last of the old\n");
  run.rename("app-0.log", "app-0.log.1");
  run.write("app-0.log", "first of the new\n");
  run.steps(2);
  expect(run.text).toBe("first of 0\nlast of the old\nfirst of the new\n");
});

test("an unlinked file's last lines are read", () => {
  startWith(1);
  settle();
  run.append("app-0.log", "last words\n");
  unlinkSync(run.path("app-0.log"));
  run.steps(2);
  expect(run.text).toBe("first of 0\nlast words\n");
});

test("a truncated file that has grown again, further than before, is read from its beginning", () => {
  startWith(1);
  settle();
  truncateSync(run.path("app-0.log"));
  run.append("app-0.log", "another content, longer than the first\n");
  run.step();
  expect(run.text).toBe("first of 0\nanother content, longer than the first\n");
});

test("an empty file that gets its first lines is read", () => {
  run.write("app.log", "");
  run.start(["*.log"]);
  settle();
  run.append("app.log", "first\n");
  run.step();
  expect(run.text).toBe("first\n");
});

test("a link that leads to another file is followed at once: the folder it is in does not tell", () => {
  const elsewhere = join(run.folder, "elsewhere");
  mkdirSync(elsewhere);
  writeFileSync(join(elsewhere, "target"), "first\n");
  symlinkSync(join(elsewhere, "target"), run.path("app.log"));
  run.start(["*.log"]);
  settle(elsewhere);
  renameSync(join(elsewhere, "target"), join(elsewhere, "old"));
  writeFileSync(join(elsewhere, "target"), "second\n");
  utimesSync(elsewhere, 1_000, 1_000);
  run.steps(2);
  expect(run.text).toBe("first\nsecond\n");
});

test("a folder's link that leads to another folder is followed at once", () => {
  for (const name of ["v1", "v2"]) {
    mkdirSync(run.path(name));
    writeFileSync(join(run.path(name), "app.log"), `of ${name}\n`);
  }
  symlinkSync(run.path("v1"), join(run.folder, "current"));
  run.start([join(run.folder, "current/app.log")]);
  settle(run.path("v1"), run.path("v2"), run.folder);
  expect(statSync(run.path("v1")).mtimeMs).toBe(statSync(run.path("v2")).mtimeMs);
  unlinkSync(join(run.folder, "current"));
  symlinkSync(run.path("v2"), join(run.folder, "current"));
  run.steps(2);
  expect(run.text).toBe("of v1\nof v2\n");
});

test("a folder that appears is looked into, and one that is written out in full", () => {
  run.start(["*/app.log", "later/other.txt"]);
  settle();
  for (const name of ["a", "later"]) mkdirSync(run.path(name));
  run.write("a/app.log", "of a\n");
  run.step();
  expect(run.text).toBe("of a\n");
  settle(run.path("a"), run.path("later"));
  run.write("later/other.txt", "of later\n");
  run.step();
  expect(run.text).toBe("of a\nof later\n");
});

test("a quiet file among many is read on for an output that was behind: it slept until it was written to again", () => {
  for (let n = 0; n < 70; n++) run.write(`app-${n}.log`, `first of ${n}\n`);
  run.start(["*.log"], { outputs: ["stdout", "slow"] });
  run.steps(2);
  run.output("slow").room = 0;
  run.append("app-7.log", "second\n");
  run.steps(15);
  expect(run.text).toEndWith("second\n");
  run.output("slow").room = Number.MAX_SAFE_INTEGER;
  run.steps(2);
  expect(run.output("slow").text).toEndWith("second\n");
});
