import { dlopen } from "bun:ffi";
import { describe, expect, test } from "bun:test";
import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
} from "node:fs";
import { join } from "node:path";
import { type FollowRun, followInEachTest } from "../kit/follow-run.ts";

let run: FollowRun;

followInEachTest((fresh) => {
  run = fresh;
});

const mebibyte = 1024 * 1024;

function lines(first: number, count: number, length = 0): string {
  const filler = "x".repeat(length);
  return Array.from({ length: count }, (_, i) => `line ${first + i} ${filler}\n`).join("");
}

describe("files that are there, and are not", () => {
  test("deleted and created again between two looks, longer than what was read, mostly with the same inode", () => {
    run.write("a.log", lines(0, 10));
    run.start(["*.log"]);
    run.step();
    for (let round = 1; round <= 5; round++) {
      unlinkSync(run.path("a.log"));
      run.write("a.log", lines(round * 100, 20 + round));
      run.step();
    }
    const rounds = Array.from({ length: 5 }, (_, i) => lines((i + 1) * 100, 21 + i)).join("");
    expect(run.text).toBe(lines(0, 10) + rounds);
  });

  const unprivileged = 65_534;
  test("a file that may not be read is said once, and read from its beginning as soon as it may", () => {
    run.write("a.log", lines(0, 3));
    chmodSync(run.path("a.log"), 0o000);
    for (const folder of [run.folder, run.logs]) chmodSync(folder, 0o755);
    // Root may read everything, so the collector is somebody else for these steps.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(unprivileged);
    try {
      if (isRoot) chmodFreeStart();
      else run.start(["*.log"]);
      run.steps(3);
      expect(run.text).toBe("");
      expect(run.said("log_path_unreadable")).toEqual([{ input: "files", path: run.path("a.log"), error: "EACCES" }]);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
    chmodSync(run.path("a.log"), 0o644);
    run.append("a.log", lines(3, 2));
    run.step();
    expect(run.text).toBe(lines(0, 5));
  });

  /** The state folder is root's: made before the right to is given up. */
  function chmodFreeStart(): void {
    process.seteuid?.(0);
    run.start(["*.log"]);
    process.seteuid?.(unprivileged);
  }

  test("a volume that is gone for a while: what was open is read on, and nothing comes twice when it is back", () => {
    mkdirSync(run.path("volume"));
    run.write("volume/a.log", lines(0, 3));
    run.start(["volume/*.log"]);
    run.step();
    renameSync(run.path("volume"), join(run.folder, "elsewhere"));
    run.steps(3);
    appendFileSync(join(run.folder, "elsewhere/a.log"), lines(3, 2));
    run.steps(3);
    renameSync(join(run.folder, "elsewhere"), run.path("volume"));
    run.append("volume/a.log", lines(5, 2));
    run.write("volume/b.log", lines(100, 1));
    run.steps(3);
    expect(run.text).toBe(lines(0, 7) + lines(100, 1));
  });
});

/** From now on reading the open file gives EIO, as on a volume with a bad block; the file at its path is as it was. */
function breakDescriptor(path: string): void {
  const { symbols } = dlopen("libc.so.6", { dup2: { args: ["i32", "i32"], returns: "i32" } });
  const fd = readdirSync("/proc/self/fd").find((one) => linkOf(`/proc/self/fd/${one}`) === path);
  const unreadable = openSync("/proc/self/mem", "r"); // nothing is mapped at its first bytes
  expect(symbols.dup2(unreadable, Number(fd))).toBe(Number(fd));
  closeSync(unreadable);
}

function linkOf(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

test("an open file that can no longer be read is said once, and does not keep others from being found", () => {
  run.write("bad.log", lines(0, 3));
  run.write("good.log", lines(10, 3));
  run.start(["*.log"]);
  run.step();
  breakDescriptor(run.path("bad.log"));
  run.append("bad.log", lines(3, 1));
  run.append("good.log", lines(13, 1));
  run.write("new.log", lines(20, 2));
  run.steps(3);
  expect(run.text).toBe(lines(0, 3) + lines(10, 4) + lines(20, 2));
  expect(run.said("log_path_unreadable")).toEqual([{ input: "files", path: run.path("bad.log"), error: "EIO" }]);
});

test("a link that is turned while nobody is there: the rest of the old file, then the new one", () => {
  const turn = (day: number, text: string) => {
    run.write(`day-${day}`, text);
    symlinkSync(run.path(`day-${day}`), run.path("next"));
    run.rename("next", "current");
  };
  turn(1, lines(0, 2));
  run.start(["current"]);
  run.step();
  run.checkpoint.write();
  run.end({ killed: true });
  run.append("day-1", lines(2, 2));
  turn(2, lines(4, 2));
  run.start(["current"]);
  run.steps(2);
  expect(run.text).toBe(lines(2, 4));
});

test("a burst of a million lines, rotated twice at once", () => {
  run.write("app.log", lines(0, 1));
  run.start(["app.log"]);
  run.step();
  run.append("app.log", lines(1, 1_000_000));
  run.rename("app.log", "app.log.1");
  run.write("app.log", lines(1_000_001, 10));
  run.rename("app.log.1", "app.log.2");
  run.rename("app.log", "app.log.1");
  run.write("app.log", lines(1_000_011, 1));
  run.steps(2);
  expect(run.text === lines(0, 1_000_012)).toBe(true);
});

test("a large file that is truncated, and its next line", () => {
  run.write("a.log", lines(0, 100_000, 90));
  run.start(["*.log"]);
  run.step();
  truncateSync(run.path("a.log"));
  run.append("a.log", "Hello world\n");
  run.steps(2);
  expect(run.text.endsWith("Hello world\n")).toBe(true);
  expect(run.text.match(/Hello world/g)).toHaveLength(1);
});

test("a file with much to read does not keep the others waiting: each gets its turn", () => {
  run.write("a-large.log", Buffer.alloc(60 * mebibyte, `${"x".repeat(199)}\n`));
  run.start(["*.log"]);
  run.follower.turn();
  run.write("z-quiet.log", "");
  run.follower.look();
  run.follower.turn();
  const waits: number[] = [];
  for (let number = 0; number < 5; number++) {
    run.append("z-quiet.log", `quiet ${number}\n`);
    run.pass(30);
    const before = run.text.length;
    let turns = 0;
    while (!run.text.includes(`quiet ${number}\n`) && turns < 1_000) {
      run.follower.turn();
      run.acknowledge();
      turns++;
    }
    waits.push(run.text.length - before);
  }
  // A turn of the large file is 1 MiB, and no turn of the thread goes on beyond 10 ms.
  expect(Math.max(...waits)).toBeLessThan(8 * mebibyte);
  expect(run.follower.unread()).toBeGreaterThan(mebibyte);
});

test("a clock that is set hours back or ahead, again and again", () => {
  run.write("app.log", lines(0, 1));
  run.start(["app.log"]);
  run.step();
  let first = 0;
  for (let number = 1; number < 13; number++) {
    run.wallAheadMs += number % 2 === 0 ? 3_600_000 : -2 * 3_600_000;
    run.append("app.log", lines(2 * number - 1, 1));
    run.rename("app.log", `app.log.${100 - number}`);
    run.write("app.log", lines(2 * number, 1));
    run.step();
    if (number % 4 > 0) continue;
    expect(run.text).toBe(lines(first, 2 * number + 1 - first));
    first = 2 * number + 1;
    run.restart(["app.log"]);
  }
});

test("a disk without room for positions: lines flow on, and positions are kept again once there is some", () => {
  run.write("a.log", lines(0, 1));
  run.start(["*.log"]);
  run.step();
  run.checkpoint.write();
  const temporary = join(run.folder, "state/logs/checkpoint.tmp");
  mkdirSync(temporary);
  for (let number = 1; number < 20; number++) {
    run.append("a.log", lines(number, 1));
    run.step();
    run.checkpoint.writeIfDue();
  }
  expect(run.text).toBe(lines(0, 20));
  expect(run.said("log_checkpoint_failed")).toHaveLength(1);
  rmSync(temporary, { recursive: true });
  run.steps(10);
  run.checkpoint.writeIfDue();
  expect(run.said("log_checkpoint_written_again")).toHaveLength(1);
  expect(statSync(join(run.folder, "state/logs/checkpoint.json")).size).toBeGreaterThan(0);
  run.end({ killed: true });
  run.append("a.log", lines(20, 1));
  run.start(["*.log"]);
  run.step();
  expect(run.text).toBe(lines(20, 1));
});
