/** Files of one log come out in the order in which they were written, for each output by itself. */
import { expect, test } from "bun:test";
import { copyFileSync, mkdirSync, rmSync, statSync, truncateSync, utimesSync, writeFileSync } from "node:fs";
import type { Survey } from "../../src/logs/following/survey.ts";
import { type FollowRun, followInEachTest } from "../kit/follow-run.ts";

let run: FollowRun;

followInEachTest((fresh) => {
  run = fresh;
});

/** Oldest first; the last is the one at the path. */
function writeChain(...texts: string[]): void {
  for (const [place, text] of texts.entries()) {
    const left = texts.length - 1 - place;
    const path = run.path(left === 0 ? "all.log" : `all.log.${left}`);
    writeFileSync(path, text);
    utimesSync(path, 1_000 + place, 1_000 + place);
  }
}

const outputs = ["fast", "slow"];

/** Lets the slow output have room when only the file at the path is due to be read: others were full a moment ago. */
function makeRoom(): void {
  run.append("all.log", "newer\n");
  run.output("slow").room = 1;
  Object.assign(run.follower, { nextSurveyAt: Number.NEGATIVE_INFINITY });
  run.step(1);
}

test.each([
  ["a rotated file", ["old\n", "new\n"]],
  ["a rotated file, with an empty one after it,", ["old\n", "", "new\n"]],
  ["a rotated file, with one after it that has no newline at its end,", ["old\n", "half", "new\n"]],
])("%s that one output had no room for comes first all the same", (_, texts) => {
  writeChain(...texts);
  run.start(["all.log*"], { outputs });
  run.output("slow").room = 0;
  run.steps(20);
  expect(run.output("fast").text).toBe("old\nnew\n");
  makeRoom();
  expect(["", "old\n", "old\nnew\nnewer\n"]).toContain(run.output("slow").text);
  run.steps(2);
  expect(run.output("slow").text).toBe("old\nnew\nnewer\n");
});

test("known files are found by the first looks after a restart, though others are renamed with each look", () => {
  const texts = Array.from({ length: 40 }, (_, n) => `line ${n}\n`);
  writeChain(...texts);
  run.start(["all.log*"], { outputs });
  run.output("slow").room = 0;
  run.step();
  run.end();
  run.start(["all.log*"], { outputs });
  let oldest = texts.length - 1;
  beforeOpening(20, () => run.rename(`all.log.${oldest}`, `all.log.1${oldest--}`));
  run.steps(2);
  expect(run.output("slow").text).toBe(texts.join(""));
});

/** What happens between a look at names and the opening of what it found, in the next looks. */
function beforeOpening(looks: number, happen: () => void): void {
  const { following } = run.follower as unknown as { following: { survey: { take: () => unknown } } };
  const { survey } = following;
  const take = survey.take.bind(survey);
  let left = looks;
  survey.take = () => {
    const seen = take();
    if (left-- > 0) happen();
    return seen;
  };
}

test("a file that was rotated while it was empty and is written to late comes before the next", () => {
  writeChain("");
  run.start(["all.log*"], { outputs });
  run.step();
  run.rename("all.log", "all.log.1");
  run.write("all.log", "new\n");
  run.append("all.log.1", "late\n");
  expect(statSync(run.path("all.log.1")).size).toBe(5);
  run.steps(2);
  expect(run.output("fast").text).toBe("late\nnew\n");
});

test("a file is opened by the first look though one in another folder is renamed with each", () => {
  mkdirSync(run.path("days"));
  run.write("days/current", "of today\n");
  run.write("busy-0.log", "busy\n");
  utimesSync(run.path("busy-0.log"), 1_000, 1_000);
  run.start(["busy-*.log", "days/current"]);
  let place = 0;
  beforeOpening(5, () => run.rename(`busy-${place}.log`, `busy-${++place}.log`));
  run.follower.turn();
  rmSync(run.path("days/current"));
  run.steps(3);
  expect(run.text).toContain("of today\n");
  expect(run.text).toContain("busy\n");
});

test("a copy that is larger than its original was, when that was looked at a moment before, does not come twice", () => {
  run.write("all.log", "first\n");
  run.start(["all.log*"]);
  run.step();
  const { survey } = (run.follower as unknown as { following: { survey: Survey } }).following;
  const take = survey.take.bind(survey);
  survey.take = () => {
    const before = take();
    run.append("all.log", "second\n");
    copyFileSync(run.path("all.log"), run.path("all.log.1"));
    const seen = take();
    survey.take = take;
    return { ...seen, byKey: new Map([...seen.byKey, ...before.byKey]) };
  };
  run.steps(2);
  truncateSync(run.path("all.log"));
  run.steps(3);
  expect(run.text).toBe("first\nsecond\n");
});
