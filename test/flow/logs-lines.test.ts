import { describe, expect, test } from "bun:test";
import { closeSync, openSync, unlinkSync, writeSync } from "node:fs";
import { type FollowRun, followInEachTest } from "../kit/follow-run.ts";

let run: FollowRun;

followInEachTest((fresh) => {
  run = fresh;
});

const mebibyte = 1024 * 1024;

/** What is left of a line of `length` bytes of x, as `shape` shows it. */
function cut(length: number, maxLine = mebibyte): string {
  const left = length - maxLine + ` [truncated: ${length} bytes left out]\n`.length;
  return `<${length - left} x> [truncated: ${left} bytes left out]\n`;
}

/** What came out, with long runs of one character shortened to their length. */
function shape(text: string): string {
  return text.replace(/(.)\1{99,}/gs, (all, char: string) => `<${all.length} ${char}>`);
}

describe("whole lines, byte for byte", () => {
  test("binary, NUL, invalid UTF-8, CRLF, a lone CR, an empty line", () => {
    const bytes = Buffer.concat([
      Buffer.from("text\r\n\nlone\rcr\n"),
      Buffer.from([0x80, 0xff, 0x00, 0xc3, 0x28, 0x0a]),
      Buffer.from("日本語\n"),
    ]);
    run.write("a.log", bytes);
    run.start(["*.log"]);
    run.step();
    expect(Buffer.from(run.text, "latin1").equals(bytes)).toBe(true);
  });

  test("a character that the end of a read cuts in two", () => {
    const text = `${"é".repeat(300 * 1024)}\n`.repeat(3);
    run.write("a.log", text);
    run.start(["*.log"]);
    run.steps(3);
    expect(Buffer.from(run.text, "latin1").toString() === text).toBe(true);
  });

  for (const length of [31 * 1024, 64 * 1024, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, mebibyte - 1, mebibyte]) {
    test(`a line of ${length} bytes goes out whole`, () => {
      run.write("a.log", `before\n${"x".repeat(length)}\nafter\n`);
      run.start(["*.log"]);
      run.steps(2);
      expect(shape(run.text)).toBe(`before\n<${length} x>\nafter\n`);
      expect(run.count("outrigger_log_truncated_lines_total", {})).toBe(0);
      expect(run.count("outrigger_log_read_lines_total", {})).toBe(3);
    });
  }

  for (const length of [mebibyte + 1, 5 * mebibyte + 17]) {
    test(`a line of ${length} bytes is cut, counted, and the next one is whole`, () => {
      run.write("a.log", `before\n${"x".repeat(length)}\nafter\n`);
      run.start(["*.log"]);
      run.steps(2);
      expect(shape(run.text)).toBe(`before\n${cut(length)}after\n`);
      expect(run.count("outrigger_log_truncated_lines_total", {})).toBe(1);
      const left = Number(/truncated: (\d+) bytes/.exec(run.text)![1]);
      expect(run.count("outrigger_log_lost_bytes_total", { reason: "line_too_long" })).toBe(left);
      run.restart(["*.log"]);
      run.append("a.log", "more\n");
      run.step();
      expect(run.text).toBe("more\n");
    });
  }

  test("a line is not cut within a character", () => {
    run.write("b.log", `x${"é".repeat(mebibyte)}\n`);
    run.start(["b.log"]);
    run.steps(2);
    const [, kept, left] = /^x(é*) \[truncated: (\d+) bytes left out\]\n$/.exec(
      Buffer.from(run.text, "latin1").toString(),
    )!;
    expect(2 * kept!.length + Number(left)).toBe(2 * mebibyte);
    expect(run.text.length).toBeLessThanOrEqual(mebibyte + 1);
    expect(run.text.length).toBeGreaterThan(mebibyte - 4);
  });

  test("100 MiB without a newline, in little memory, and the line after it", () => {
    const fd = openSync(run.path("a.log"), "w");
    const piece = Buffer.alloc(mebibyte, "x");
    run.start(["*.log"]);
    run.step();
    const before = process.memoryUsage().rss;
    for (let written = 0; written < 100; written++) {
      writeSync(fd, piece);
      if (written % 10 === 0) run.step(50);
    }
    writeSync(fd, "\nafter\n");
    closeSync(fd);
    run.steps(3);
    expect(shape(run.text)).toBe(`${cut(100 * mebibyte)}after\n`);
    expect(process.memoryUsage().rss - before).toBeLessThan(64 * mebibyte);
  });

  for (const maxLine of [1024, 16 * 1024, 300 * 1024, 2 * mebibyte]) {
    test(`with maxLine ${maxLine}, lines of about that length among short ones`, () => {
      const lengths = [10, maxLine - 1, maxLine, 5, maxLine + 1, maxLine + 2, 3, 3 * maxLine, 0, maxLine, 1];
      const whole = lengths.filter((length) => length <= maxLine);
      run.write("a.log", lengths.map((length) => `${"x".repeat(length)}\n`).join(""));
      run.start(["*.log"], { maxLine });
      run.steps(3);
      const lines = run.text.split("\n").slice(0, -1);
      expect(lines.filter((line) => !line.includes("truncated")).map(({ length }) => length)).toEqual(whole);
      for (const [at, length] of lengths.entries()) {
        if (length > maxLine) expect(shape(`${lines[at]!}\n`)).toBe(cut(length, maxLine));
      }
      expect(run.count("outrigger_log_truncated_lines_total", {})).toBe(3);
      expect(run.count("outrigger_log_read_bytes_total", {})).toBe(
        lengths.reduce((sum, length) => sum + length + 1, 0),
      );
    });
  }

  test("a line that grows by little pieces comes when it ends", () => {
    run.start(["*.log"]);
    for (let i = 0; i < 50; i++) {
      run.append("a.log", "x".repeat(10_000));
      run.step(100);
      expect(run.text).toBe("");
    }
    run.append("a.log", "\nnext\n");
    run.step();
    expect(shape(run.text)).toBe("<500000 x>\nnext\n");
  });
});

describe("a last line without a newline", () => {
  test("is not read while the file is live", () => {
    run.write("a.log", "whole\nhalf");
    run.start(["*.log"]);
    run.steps(120);
    expect(run.text).toBe("whole\n");
    run.append("a.log", " and half\n");
    run.step();
    expect(run.text).toBe("whole\nhalf and half\n");
  });

  test("survives a kill whole", () => {
    run.write("a.log", "one\nabc");
    run.start(["*.log"]);
    run.steps(2);
    run.end({ killed: true });
    run.append("a.log", "def\n");
    run.start(["*.log"]);
    run.step();
    expect(run.text.endsWith("abcdef\n")).toBe(true);
    expect(run.text.match(/abc/g)).toHaveLength(1);
  });

  for (const end of ["renamed", "deleted"]) {
    test(`comes out once the file was ${end} and is quiet`, () => {
      run.write("a.log", "whole\nhalf");
      run.start(["*.log"]);
      run.step();
      if (end === "renamed") run.rename("a.log", "a.log.1");
      else unlinkSync(run.path("a.log"));
      run.steps(2);
      expect(run.text).toBe("whole\n");
      run.steps(5);
      expect(run.text).toBe("whole\nhalf\n");
      run.restart(["*.log"]);
      run.steps(10);
      expect(run.text).toBe("");
    });
  }

  test("comes before the lines of the file that follows, which ends the wait sooner", () => {
    run.write("a.log", "whole\nhalf");
    run.start(["*.log"]);
    run.step();
    run.rename("a.log", "a.log.1");
    run.write("a.log", "new\n");
    run.steps(4);
    expect(run.text).toBe("whole\nhalf\nnew\n");
  });

  test("that is longer than a line may be, in a deleted file", () => {
    run.write("a.log", `whole\n${"x".repeat(2 * mebibyte)}`);
    run.start(["*.log"]);
    run.steps(2);
    unlinkSync(run.path("a.log"));
    run.steps(8);
    expect(shape(run.text)).toBe(`whole\n${cut(2 * mebibyte)}`);
    expect(run.count("outrigger_log_truncated_lines_total", {})).toBe(1);
    expect(run.follower.state()).toEqual([]);
  });

  test("is shown when the collector stops; finished later it comes whole, unfinished it does not come again", () => {
    run.write("a.log", "one\nabc");
    run.write("b.log", "two\nxyz");
    run.start(["*.log"]);
    run.step();
    run.follower.finish();
    run.acknowledge();
    expect(run.text).toBe("one\ntwo\nabc\nxyz\n");
    run.restart(["*.log"]);
    run.append("a.log", "def\n");
    run.step();
    expect(run.text).toBe("abcdef\n");
    expect(run.follower.unread()).toBe(0);
    run.follower.finish();
    unlinkSync(run.path("b.log"));
    run.steps(10);
    expect(run.text).toBe("abcdef\n");
  });
});

describe("several outputs", () => {
  test("a stalled one is left behind at a known place, and catches up by itself, also after a restart", () => {
    const options = { outputs: ["fast", "slow"] };
    run.write("a.log", "1\n");
    run.start(["*.log"], options);
    run.output("slow").room = 0;
    run.step();
    for (let i = 2; i < 10; i++) {
      run.append("a.log", `${i}\n`);
      run.step();
    }
    const all = "1\n2\n3\n4\n5\n6\n7\n8\n9\n";
    expect([run.output("fast").text, run.output("slow").text]).toEqual([all, ""]);
    run.restart(["*.log"], options);
    run.step();
    expect([run.output("fast").text, run.output("slow").text]).toEqual(["", all]);
  });

  test("a rotated file is kept for the one that is behind", () => {
    const options = { outputs: ["fast", "slow"] };
    run.write("a.log", "1\n");
    run.start(["*.log"], options);
    run.output("slow").room = 0;
    run.step();
    unlinkSync(run.path("a.log"));
    run.write("a.log", "2\n");
    run.steps(100);
    expect([run.output("fast").text, run.output("slow").text]).toEqual(["1\n2\n", ""]);
    run.output("slow").room = 1000;
    run.steps(2);
    expect(run.output("slow").text).toBe("1\n2\n");
  });
});
