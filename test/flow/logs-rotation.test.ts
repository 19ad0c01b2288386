import { describe, expect, test } from "bun:test";
import {
  closeSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeSync,
} from "node:fs";
import { type FollowRun, followInEachTest } from "../kit/follow-run.ts";

let run: FollowRun;

followInEachTest((fresh) => {
  run = fresh;
});

function copyTruncate(name: string, copy: string): void {
  copyFileSync(run.path(name), run.path(copy));
  truncateSync(run.path(name));
}

/** How many of our descriptors are open on a path, deleted or not. */
function descriptorsOn(path: string): number {
  return readdirSync("/proc/self/fd").filter((fd) => {
    try {
      return readlinkSync(`/proc/self/fd/${fd}`).startsWith(path);
    } catch {
      return false;
    }
  }).length;
}

function lines(...numbers: number[]): string {
  return numbers.map((number) => `line ${number}\n`).join("");
}

describe("files that appear", () => {
  test("a file, its growth, and one that comes later", () => {
    run.write("a.log", lines(1));
    run.start(["*.log"]);
    run.step();
    run.append("a.log", lines(2));
    run.step(300);
    expect(run.text).toBe(lines(1, 2));
    run.write("b.log", lines(3));
    run.step();
    expect(run.text).toBe(lines(1, 2, 3));
  });

  test("a folder created later, and a pattern that matched nothing says so once", () => {
    run.start(["deep/*/x.log"]);
    run.steps(3);
    expect(run.said("log_pattern_matches_nothing")).toEqual([{ input: "files", pattern: run.path("deep/*/x.log") }]);
    mkdirSync(run.path("deep/1"), { recursive: true });
    run.write("deep/1/x.log", lines(1));
    run.step();
    expect(run.text).toBe(lines(1));
    rmSync(run.path("deep"), { recursive: true });
    run.steps(3);
    expect(run.said("log_pattern_matches_nothing")).toHaveLength(1);
  });

  test("a path that is a folder is reported once, and collected when it becomes a file", () => {
    mkdirSync(run.path("app.log"));
    run.start(["app.log"]);
    run.steps(3);
    expect(run.said("log_path_not_a_file")).toEqual([
      { input: "files", path: run.path("app.log"), error: "not a file" },
    ]);
    rmSync(run.path("app.log"), { recursive: true });
    run.write("app.log", lines(1));
    run.step();
    expect(run.text).toBe(lines(1));
  });

  test("a loop of links is reported once, and collected once it is mended", () => {
    symlinkSync("app.log", run.path("app.log"));
    symlinkSync("nowhere", run.path("dangling.log"));
    run.start(["*.log"]);
    run.steps(3);
    expect(run.said("log_path_unreadable")).toEqual([{ input: "files", path: run.path("app.log"), error: "ELOOP" }]);
    unlinkSync(run.path("app.log"));
    run.write("app.log", lines(1));
    run.step();
    expect(run.text).toBe(lines(1));
  });

  test("the shortest file, and one without a byte", () => {
    run.write("a.log", "x\n");
    run.write("b.log", "");
    run.start(["*.log"]);
    run.step();
    expect(run.text).toBe("x\n");
    run.append("b.log", "\n");
    run.step(300);
    expect(run.text).toBe("x\n\n");
  });

  test("hard links and links are one file; exclusions are none", () => {
    run.write("a.log", lines(1));
    linkSync(run.path("a.log"), run.path("b.log"));
    symlinkSync("a.log", run.path("c.log"));
    run.write("skip.log", lines(2));
    run.start(["*.log"], { exclude: ["skip*"] });
    run.steps(2);
    run.append("b.log", lines(3));
    run.step();
    expect(run.text).toBe(lines(1, 3));
  });

  test("from the end: what was there is left out, up to a whole line; what comes is not, also after a restart", () => {
    run.write("a.log", `${lines(1, 2)}line`);
    run.start(["*.log"], { from: "end" });
    run.step();
    run.append("a.log", ` 3\n${lines(4)}`);
    run.write("b.log", lines(5));
    run.step();
    expect(run.text).toBe(`${lines(3)}${lines(4, 5)}`);
    run.end();
    run.write("c.log", lines(6));
    run.start(["*.log"], { from: "end" });
    run.step();
    expect(run.text).toBe(lines(6));
  });

  test("identical heads of 4 KiB are different files", () => {
    const banner = "the same banner\n".repeat(256);
    run.write("a.log", `${banner}${lines(1)}`);
    run.write("b.log", `${banner}${lines(2)}`);
    run.start(["*.log"]);
    run.step();
    expect(run.text).toBe(`${banner}${lines(1)}${banner}${lines(2)}`);
    run.restart(["*.log"]);
    run.append("b.log", lines(3));
    run.step();
    expect(run.text).toBe(lines(3));
  });

  test("two entries that match the same file: each output gets it once", () => {
    run.write("a.log", lines(1));
    run.start(["a.log"]);
    const second = run.make(["*.log"], { name: "second", outputs: ["stdout", "other"] });
    run.step();
    run.turns(second);
    run.append("a.log", lines(2));
    run.step();
    run.turns(second);
    expect(run.text).toBe(lines(1, 2));
    expect(run.output("other").text).toBe(lines(1, 2));
    second.close();
  });
});

describe("rotation by renaming", () => {
  for (const patterns of [["f"], ["f*"]]) {
    test(`rename and create, late lines to both (${patterns})`, () => {
      run.write("f", "First line\n");
      run.start(patterns);
      run.step();
      run.rename("f", "f0");
      run.write("f", "New file line\n");
      run.steps(5);
      run.append("f0", "Last line\n");
      run.steps(5);
      expect(run.text).toBe("First line\nNew file line\nLast line\n");
    });

    test(`the old file is read to its end before the new one is begun (${patterns})`, () => {
      run.write("f", lines(1));
      run.start(patterns);
      run.step();
      // More than one turn may read.
      const rest = lines(...Array.from({ length: 400_000 }, (_, i) => i + 2));
      run.append("f", rest);
      run.rename("f", "f.1");
      run.write("f", "new\n");
      run.step();
      run.step(50);
      expect(run.text === `${lines(1)}${rest}new\n`).toBe(true);
    });
  }

  for (const patterns of [["app.log"], ["app.log*"]]) {
    test(`a chain of renames (${patterns})`, () => {
      run.write("app.log", lines(1));
      run.start(patterns);
      run.step();
      for (let number = 2; number <= 6; number++) {
        if (existsSync(run.path("app.log.2"))) run.rename("app.log.2", "app.log.3");
        if (existsSync(run.path("app.log.1"))) run.rename("app.log.1", "app.log.2");
        run.append("app.log", lines(number * 10));
        run.rename("app.log", "app.log.1");
        run.write("app.log", lines(number));
        run.step();
      }
      expect(run.text).toBe(lines(1, 20, 2, 30, 3, 40, 4, 50, 5, 60, 6));
    });

    test(`three rotations between two looks (${patterns})`, () => {
      run.write("app.log", lines(1));
      run.start(patterns);
      run.step();
      run.append("app.log", lines(2));
      for (const [before, number] of [
        [0, 3],
        [1, 4],
        [2, 5],
      ] as const) {
        for (let n = before; n > 0; n--) run.rename(`app.log.${n}`, `app.log.${n + 1}`);
        run.rename("app.log", "app.log.1");
        run.write("app.log", lines(number));
      }
      run.steps(2);
      expect(run.text).toBe(lines(1, 2, 3, 4, 5));
      expect(run.count("outrigger_log_rotations_total", { kind: "missed" })).toBe(2);
    });

    test(`three rotations while nobody was there (${patterns})`, () => {
      run.write("app.log", lines(1));
      run.start(patterns);
      run.step();
      run.end();
      run.append("app.log", lines(2));
      for (const [before, number] of [
        [0, 3],
        [1, 4],
        [2, 5],
      ] as const) {
        for (let n = before; n > 0; n--) run.rename(`app.log.${n}`, `app.log.${n + 1}`);
        run.rename("app.log", "app.log.1");
        run.write("app.log", lines(number));
      }
      run.start(patterns);
      run.steps(2);
      expect(run.text).toBe(lines(2, 3, 4, 5));
    });
  }

  test("older generations and other files beside the log are left alone", async () => {
    run.write("app.log.1", "older\n");
    run.write("app.log.err", "other\n");
    run.write("app.log.2.gz", "packed\n");
    await Bun.sleep(20);
    run.write("app.log", lines(1));
    run.start(["app.log"]);
    run.step();
    run.rename("app.log.1", "app.log.2");
    run.rename("app.log", "app.log.1");
    run.write("app.log", lines(2));
    run.append("app.log.err", "other\n");
    run.append("app.log.2.gz", "packed\n");
    run.steps(2);
    expect(run.text).toBe(lines(1, 2));
  });

  test("numbered logs of their own, matched as well, are not cut short for being called like rotated ones", () => {
    for (const name of ["worker.log", "worker-1.log", "worker-12.log"]) run.write(name, `${name} begins`);
    run.start(["*.log"]);
    for (let i = 0; i < 10; i++) {
      run.append("worker.log", `\nworker ${i}`);
      run.steps(10);
    }
    run.append("worker-1.log", " and ends\n");
    run.append("worker-12.log", " and ends\n");
    run.steps(2);
    const own = Array.from({ length: 9 }, (_, i) => `worker ${i}`);
    expect(run.text.trimEnd().split("\n").sort()).toEqual(
      ["worker.log begins", ...own, "worker-1.log begins and ends", "worker-12.log begins and ends"].sort(),
    );
  });

  test("dates before the extension", () => {
    run.write("app.log", lines(1));
    run.start(["app.log"]);
    run.step();
    run.rename("app.log", "app-2024-01-01.log");
    run.write("app.log", lines(2));
    run.rename("app.log", "app-2024-01-02.log");
    run.write("app.log", lines(3));
    run.step();
    expect(run.text).toBe(lines(1, 2, 3));
  });

  test("a link that is turned to another file: the rest of the old, all of the new", () => {
    run.write("day1", lines(1));
    symlinkSync("day1", run.path("current"));
    run.start(["current"]);
    run.step();
    run.append("day1", lines(2));
    run.write("day2", lines(3));
    unlinkSync(run.path("current"));
    symlinkSync("day2", run.path("current"));
    run.steps(2);
    expect(run.text).toBe(lines(1, 2, 3));
  });

  test("deleted with unread lines: they are read, then the descriptor is let go", () => {
    run.write("a.log", lines(1));
    run.start(["*.log"]);
    run.step();
    const fd = openSync(run.path("a.log"), "a");
    unlinkSync(run.path("a.log"));
    writeSync(fd, lines(2));
    run.step();
    writeSync(fd, lines(3));
    run.step();
    closeSync(fd);
    expect(run.text).toBe(lines(1, 2, 3));
    run.steps(3);
    expect(descriptorsOn(run.logs)).toBe(0);
    expect(run.follower.state()).toEqual([]);
  });

  test("deleted, but not acknowledged: the descriptor stays", () => {
    run.write("a.log", lines(1));
    run.start(["*.log"]);
    run.acknowledges = false;
    run.step();
    unlinkSync(run.path("a.log"));
    run.steps(30);
    expect(descriptorsOn(run.logs)).toBe(1);
    run.acknowledge();
    run.steps(2);
    expect(descriptorsOn(run.logs)).toBe(0);
  });

  test("an inode that is used again, also with a longer file", () => {
    run.write("a.log", lines(1));
    run.start(["*.log"]);
    run.step();
    run.end();
    unlinkSync(run.path("a.log"));
    // ext4 gives the number out again at once; elsewhere this is still a test of deleting and recreating.
    run.write("a.log", lines(7, 8, 9));
    run.start(["*.log"]);
    run.step();
    expect(run.text).toBe(lines(7, 8, 9));
  });

  test("deleted and created again with the same content is new content", async () => {
    run.write("a.log", lines(1, 2));
    run.start(["*.log"]);
    run.step();
    run.end();
    unlinkSync(run.path("a.log"));
    await Bun.sleep(20);
    run.write("a.log", lines(1, 2));
    run.append("a.log", lines(3));
    run.start(["*.log"]);
    run.step();
    expect(run.text).toBe(lines(1, 2, 3));
  });

  test("a rotated file that was closed after a quiet minute is opened again when it grows, if it is matched", () => {
    run.write("app.log", lines(1));
    run.start(["app.log*"]);
    run.step();
    run.rename("app.log", "app.log.1");
    run.write("app.log", lines(2));
    run.steps(70);
    expect(descriptorsOn(run.path("app.log.1"))).toBe(0);
    run.append("app.log.1", lines(3));
    run.step();
    expect(run.text).toBe(lines(1, 2, 3));
  });
});

describe("truncation", () => {
  test("to nothing, and written again", () => {
    run.write("a.log", lines(1, 2, 3));
    run.start(["*.log"]);
    run.step();
    truncateSync(run.path("a.log"));
    run.step(300);
    run.append("a.log", lines(4));
    run.step();
    expect(run.text).toBe(lines(1, 2, 3, 4));
    expect(run.count("outrigger_log_rotations_total", { kind: "truncated" })).toBe(1);
  });

  test("and grown past the old position before the next look", () => {
    run.write("a.log", lines(1, 2));
    run.start(["*.log"]);
    run.step();
    run.write("a.log", lines(3, 4, 5));
    run.step();
    expect(run.text).toBe(lines(1, 2, 3, 4, 5));
  });

  test("and grown to exactly the old position", () => {
    run.write("a.log", lines(1, 2));
    run.start(["*.log"]);
    run.step();
    run.write("a.log", lines(3, 4));
    run.step();
    expect(run.text).toBe(lines(1, 2, 3, 4));
  });

  for (const patterns of [["f"], ["f*"]]) {
    test(`copytruncate: the copy is not repeated, late lines to it are read (${patterns})`, () => {
      run.write("f", "First line\n");
      run.start(patterns);
      run.step();
      copyTruncate("f", "f0");
      run.append("f", "New file line\n");
      run.steps(5);
      run.append("f0", "Last line\n");
      run.steps(5);
      expect(run.text).toBe("First line\nNew file line\nLast line\n");
    });

    test(`copytruncate: unread lines that only the copy has (${patterns})`, () => {
      run.write("f", lines(1));
      run.start(patterns);
      run.step();
      run.append("f", lines(2, 3));
      copyTruncate("f", "f.1");
      run.append("f", lines(4));
      run.steps(2);
      expect(run.text).toBe(lines(1, 2, 3, 4));
      run.steps(70);
      expect(run.text).toBe(lines(1, 2, 3, 4));
      expect(run.count("outrigger_log_lost_bytes_total", { reason: "truncated" })).toBe(0);
    });

    test(`copytruncate while nobody was there, twice (${patterns})`, () => {
      run.write("f", lines(1));
      run.start(patterns);
      run.step();
      run.append("f", lines(2));
      run.end();
      copyTruncate("f", "f.1");
      run.append("f", lines(3));
      run.rename("f.1", "f.2");
      copyTruncate("f", "f.1");
      run.append("f", lines(4));
      run.start(patterns);
      run.steps(3);
      expect(run.text).toBe(lines(2, 3, 4));
    });

    test(`copytruncate while the app writes and we read: nothing comes twice (${patterns})`, () => {
      run.write("f", lines(1, 2));
      run.start(patterns);
      run.step();
      copyFileSync(run.path("f"), run.path("f.1"));
      run.append("f", lines(3));
      run.step(100);
      truncateSync(run.path("f"));
      run.append("f", lines(4));
      run.steps(2);
      run.append("f.1", lines(5));
      run.steps(2);
      expect(run.text).toBe(lines(1, 2, 3, 4, 5));
    });

    test(`copytruncate: a copy that is seen before the truncation waits (${patterns})`, () => {
      run.write("f", lines(1, 2));
      run.start(patterns);
      run.step();
      copyFileSync(run.path("f"), run.path("f.1"));
      run.steps(3);
      run.append("f", lines(3));
      run.step();
      truncateSync(run.path("f"));
      run.append("f", lines(4));
      run.steps(3);
      // Line 3 was written after the copy was made: read from the file before it was truncated.
      expect(run.text).toBe(lines(1, 2, 3, 4));
    });

    test(`a copy that just stays is not repeated, until it says something else (${patterns})`, () => {
      run.write("f", lines(1, 2));
      run.start(patterns);
      run.step();
      copyFileSync(run.path("f"), run.path("f.bak"));
      run.steps(20);
      expect(run.text).toBe(lines(1, 2));
      run.append("f.bak", lines(9));
      run.steps(2);
      expect(run.text).toBe(patterns[0] === "f" ? lines(1, 2) : lines(1, 2, 1, 2, 9));
    });
  }

  test("a beginning that changes all the time is not read again all the time, and that is said once", () => {
    const text = lines(...Array.from({ length: 1_000 }, (_, i) => i));
    run.write("a.log", text);
    run.start(["*.log"]);
    run.step();
    const fd = openSync(run.path("a.log"), "r+");
    for (let i = 0; i < 100; i++) {
      writeSync(fd, `head ${i % 10}`, 0);
      run.append("a.log", `more ${i}\n`);
      run.step(90);
    }
    closeSync(fd);
    expect(run.text.match(/more 99\n/g)).toHaveLength(1);
    expect(run.text.match(/line 999\n/g)?.length).toBeLessThan(25);
    expect(run.said("log_file_rewritten_often")).toHaveLength(1);
  });

  test("without a copy, what was unread and known is counted as lost", () => {
    run.write("a.log", lines(1));
    run.start(["*.log"]);
    run.step();
    run.output("stdout").room = 0;
    run.append("a.log", lines(2));
    run.step();
    truncateSync(run.path("a.log"));
    run.append("a.log", "x\n");
    run.output("stdout").room = 1 << 20;
    run.steps(2);
    expect(run.text).toBe(`${lines(1)}x\n`);
    expect(run.count("outrigger_log_lost_bytes_total", { reason: "truncated" })).toBe(7);
    expect(run.said("log_bytes_lost")).toHaveLength(1);
  });

  test("a writer that does not append leaves NULs: they are skipped and counted", () => {
    const fd = openSync(run.path("a.log"), "w");
    writeSync(fd, lines(1, 2, 3));
    run.start(["*.log"]);
    run.step();
    truncateSync(run.path("a.log"));
    writeSync(fd, lines(4));
    run.step();
    writeSync(fd, lines(5));
    closeSync(fd);
    run.step();
    expect(run.text).toBe(lines(1, 2, 3, 4, 5));
    expect(run.count("outrigger_log_skipped_bytes_total", {})).toBe(21);
    run.restart(["*.log"]);
    run.append("a.log", lines(6));
    run.step();
    expect(run.text).toBe(lines(6));
  });

  test("a gap of a megabyte of NULs", () => {
    const fd = openSync(run.path("a.log"), "w");
    writeSync(fd, "text\n", 1_000_000);
    closeSync(fd);
    run.start(["*.log"]);
    run.step();
    expect(run.text).toBe("text\n");
    expect(run.count("outrigger_log_skipped_bytes_total", {})).toBe(1_000_000);
  });
});
