import { describe, expect, test } from "bun:test";
import { chmodSync, mkdirSync, rmSync, symlinkSync, unlinkSync } from "node:fs";
import { type FollowRun, followInEachTest } from "../kit/follow-run.ts";

let run: FollowRun;

followInEachTest((fresh) => {
  run = fresh;
});

describe("folders", () => {
  test("that appear at any depth, at any time, with files in them already", () => {
    run.start(["**/*.log", "logs-of-*/x/y.txt"], { exclude: ["**/skip/**", "*.tmp.log"] });
    run.step();
    mkdirSync(run.path("a/b/c"), { recursive: true });
    run.write("a/b/c/deep.log", "deep\n");
    run.write("a/b/c/not.tmp.log", "excluded by name\n");
    mkdirSync(run.path("a/skip"));
    run.write("a/skip/x.log", "excluded by folder\n");
    run.step();
    mkdirSync(run.path("logs-of-pod/x"), { recursive: true });
    run.write("logs-of-pod/x/y.txt", "named\n");
    run.step();
    expect(run.text).toBe("deep\nnamed\n");
  });

  test("that are renamed as a whole keep their files' positions", () => {
    mkdirSync(run.path("pod-1"));
    run.write("pod-1/app.log", "one\n");
    run.start(["*/app.log"]);
    run.step();
    run.rename("pod-1", "pod-2");
    run.append("pod-2/app.log", "two\n");
    run.steps(2);
    mkdirSync(run.path("pod-1"));
    run.write("pod-1/app.log", "three\n");
    run.steps(2);
    expect(run.text).toBe("one\ntwo\nthree\n");
  });

  test("that go away with unread lines are read to the end", () => {
    mkdirSync(run.path("pod"));
    run.write("pod/app.log", "one\n");
    run.start(["*/app.log"]);
    run.step();
    run.append("pod/app.log", "two\n");
    rmSync(run.path("pod"), { recursive: true });
    run.steps(3);
    expect(run.text).toBe("one\ntwo\n");
  });
});

describe("links to folders", () => {
  test("are followed where the pattern names them, and turned to the next folder without loss", () => {
    for (const day of ["day1", "day2"]) mkdirSync(run.path(day));
    run.write("day1/app.log", "one\n");
    run.write("day2/app.log", "");
    symlinkSync("day1", run.path("current"));
    run.start(["current/*.log"]);
    run.step();
    run.append("day1/app.log", "two\n");
    unlinkSync(run.path("current"));
    symlinkSync("day2", run.path("current"));
    run.append("day2/app.log", "three\n");
    run.steps(3);
    run.append("day1/app.log", "late\n");
    run.append("day2/app.log", "four\n");
    run.steps(3);
    expect(run.text.split("\n").slice(0, -1).sort()).toEqual(["four", "late", "one", "three", "two"]);
    expect(run.text.indexOf("two")).toBeLessThan(run.text.indexOf("three"));
  });

  test("that lead back to themselves end, and a file that many names lead to comes once", () => {
    mkdirSync(run.path("a"));
    run.write("a/app.log", "once\n");
    symlinkSync("..", run.path("a/up"));
    symlinkSync("a", run.path("b"));
    symlinkSync("loop", run.path("loop"));
    run.start(["**/*.log", "b/*.log", "b/up/a/up/a/*.log", "loop/*.log"]);
    run.steps(3);
    expect(run.text).toBe("once\n");
  });
});

describe("without permission", () => {
  const nobody = 65534;

  /** Turns as a user who has no special rights; a test may run as root, who may read everything. */
  function stepAsNobody(steps: number): void {
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.(nobody);
    try {
      run.steps(steps);
    } finally {
      if (isRoot) process.seteuid?.(0);
    }
  }

  test("a file is said once to be unreadable, and read from its beginning once it may be read", () => {
    run.write("a.log", "secret\n");
    run.write("b.log", "open\n");
    for (const folder of [run.folder, run.logs]) chmodSync(folder, 0o755);
    chmodSync(run.path("a.log"), 0o000);
    run.start(["*.log"]);
    stepAsNobody(3);
    expect(run.text).toBe("open\n");
    expect(run.said("log_path_unreadable")).toEqual([{ input: "files", path: run.path("a.log"), error: "EACCES" }]);
    chmodSync(run.path("a.log"), 0o644);
    stepAsNobody(2);
    expect(run.text).toBe("open\nsecret\n");
  });

  test("a folder likewise", () => {
    mkdirSync(run.path("pod"));
    run.write("pod/a.log", "secret\n");
    for (const folder of [run.folder, run.logs]) chmodSync(folder, 0o755);
    chmodSync(run.path("pod"), 0o000);
    run.start(["pod/*.log"]);
    stepAsNobody(3);
    expect([run.text, run.said("log_path_unreadable").length]).toEqual(["", 1]);
    chmodSync(run.path("pod"), 0o755);
    stepAsNobody(2);
    expect(run.text).toBe("secret\n");
  });
});

describe("a thousand files", () => {
  const quiet = Array.from({ length: 999 }, (_, at) => `quiet-${String(at).padStart(3, "0")}.log`);
  const mebibyte = 1024 * 1024;
  const busyLine = `${"x".repeat(1023)}\n`;

  test("each is read while one has much to be read", () => {
    run.write("busy.log", busyLine.repeat(32 * 1024));
    for (const name of quiet) run.write(name, `${name}\n`);
    run.start(["*.log"]);
    // The first look opens all of them; after that a round over all takes one turn's quota of the busy one.
    const haveCome = () => quiet.every((name) => run.text.includes(name));
    for (let turns = 0; turns < 200 && !haveCome(); turns++) run.turn(1);
    expect(haveCome()).toBe(true);
    expect(run.text.length).toBeLessThan(8 * mebibyte);
  });

  test("a line of a quiet one waits for two turns' quota of the busy one at most, or for a look once a second", () => {
    run.write("busy.log", "");
    for (const name of quiet) run.write(name, "");
    run.start(["*.log"]);
    run.step();
    const waits: number[] = [];
    for (let round = 0; round < 12; round++) {
      run.append("busy.log", busyLine.repeat(4 * 1024));
      const name = quiet[(round * 331) % quiet.length]!;
      run.append(name, `${name} ${round}\n`);
      const before = run.text.length;
      for (let turns = 0; !run.text.includes(`${name} ${round}\n`, before); turns++) {
        if (turns > 2_000) throw new Error(`${name} never came`);
        run.turn(1);
      }
      waits.push(run.text.indexOf(`${name} ${round}\n`, before) - before);
      run.output("stdout").text = "";
      run.step(50);
    }
    waits.sort((a, b) => a - b);
    expect(waits[Math.floor(waits.length * 0.9)]!).toBeLessThanOrEqual(4 * mebibyte);
  });
});
