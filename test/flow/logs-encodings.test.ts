import { describe, expect, test } from "bun:test";
import { copyFileSync, truncateSync } from "node:fs";
import { recordsOf } from "../../src/logs/shaping/record.ts";
import { encodeAs } from "../kit/encode.ts";
import { type FollowRun, followInEachTest } from "../kit/follow-run.ts";
import { seeded, seedOf } from "../kit/random.ts";

let run: FollowRun;

followInEachTest((fresh) => {
  run = fresh;
});

/** What came out, as text. */
function text(): string {
  return Buffer.from(run.text, "latin1").toString();
}

const samples: Record<string, string> = {
  gbk: "订单处理完成 ok\n用户张三\r\n\nASCII only\n",
  gb18030: "订单处理完成 ok\n用户张三\n",
  big5: "訂單處理完成 ok\n用戶張三\n",
  shift_jis: "注文を処理しました ok\nソ連\n",
  "euc-kr": "주문 처리 완료 ok\n사용자\n",
  latin1: "café ok\nnaïve\n",
  "windows-1251": "заказ обработан ok\nпользователь\n",
  "utf-16le": "заказ 订单 ok\n😀 ਊ\n",
  "utf-16be": "заказ 订单 ok\n😀 ਊ\n",
};

describe.each(Object.entries(samples))("a file in %s", (encoding, sample) => {
  test("comes out as UTF-8 with the same lines, whole and after a restart", () => {
    run.write("a.log", encodeAs(encoding, sample));
    run.start(["*.log"], { encoding });
    run.step();
    run.append("a.log", encodeAs(encoding, `x${sample}`));
    run.step();
    expect(text()).toBe(`${sample}x${sample}`);
    run.restart(["*.log"], { encoding });
    run.append("a.log", encodeAs(encoding, sample));
    run.steps(2);
    expect(text()).toBe(sample);
    expect(run.count("outrigger_log_undecodable_characters_total", {})).toBe(0);
  });

  test("is the same when it grows byte by byte, and when reads end within characters", () => {
    const bytes = encodeAs(encoding, sample);
    run.write("a.log", "");
    run.start(["*.log"], { encoding });
    for (const byte of bytes) {
      run.append("a.log", Uint8Array.of(byte));
      run.step(300);
    }
    expect(text()).toBe(sample);
    const long = encodeAs(encoding, `x${sample}`.repeat(10_000));
    run.append("a.log", long);
    run.steps(5);
    expect(text() === sample + `x${sample}`.repeat(10_000)).toBe(true);
    expect(run.count("outrigger_log_undecodable_characters_total", {})).toBe(0);
  });

  test("marks and records know their places in the file, at each line of blocks of any size", () => {
    const random = seeded(seedOf(`places in ${encoding}`)).next;
    run.acknowledges = false;
    run.write("a.log", "");
    run.start(["*.log"], { encoding });
    const expected: number[] = [];
    let size = 0;
    for (const count of [1, 3, 2_000, 40_000, 5]) {
      for (let line = 0; line < count; line++) {
        const one = encodeAs(encoding, `${"x".repeat(Math.floor(random() * 20))}${sample.split("\n")[0]}\n`);
        expected.push(size);
        size += one.length;
        run.append("a.log", one);
        if (line % 500 === 0) run.step(300);
      }
      run.step();
    }
    const { offered } = run.output("stdout");
    expect(offered.at(-1)!.end).toBe(size);
    expect(offered.flatMap((block) => recordsOf(block).map(({ offset }) => offset))).toEqual(expected);
    // Acknowledged up to a line in the middle, as when a batch is halved: the rest comes after a restart.
    const block = offered[Math.floor(offered.length / 2)]!;
    const middle = block.bytes.indexOf(10, Math.floor(block.bytes.length / 2)) + 1;
    const mark = middle < block.bytes.length ? block.markAt(middle) : block.mark;
    run.follower.acknowledged({ source: block.source, start: block.start, end: mark.offset, mark }, "stdout");
    run.restart(["*.log"], { encoding });
    run.steps(3);
    expect(run.output("stdout").offered[0]!.start).toBe(mark.offset);
    expect(expected).toContain(mark.offset);
    expect(text().split("\n").length - 1).toBe(expected.filter((offset) => offset >= mark.offset).length);
  });

  test("rotation and truncation lose nothing of it", () => {
    run.write("a.log", encodeAs(encoding, sample));
    run.start(["a.log"], { encoding });
    run.step();
    run.append("a.log", encodeAs(encoding, `1${sample}`));
    run.rename("a.log", "a.log.1");
    run.write("a.log", encodeAs(encoding, `2${sample}`));
    run.steps(3);
    run.append("a.log", encodeAs(encoding, `3${sample}`));
    copyFileSync(run.path("a.log"), run.path("a.log.2"));
    truncateSync(run.path("a.log"));
    run.append("a.log", encodeAs(encoding, `4${sample}`));
    run.steps(3);
    expect(text()).toBe(`${sample}1${sample}2${sample}3${sample}4${sample}`);
  });

  test("begins at its end where it should", () => {
    run.write("a.log", encodeAs(encoding, `${sample}half of `));
    run.start(["*.log"], { encoding, from: "end" });
    run.step();
    run.append("a.log", encodeAs(encoding, `it\n${sample}`));
    run.step();
    expect(text()).toBe(`half of it\n${sample}`);
  });

  test("a last line without a newline gets one", () => {
    run.write("a.log", encodeAs(encoding, `${sample}the end`));
    run.start(["*.log"], { encoding });
    run.step();
    run.follower.finish();
    expect(text()).toBe(`${sample}the end\n`);
  });

  test("lines that are too long are cut at a character", () => {
    const line = sample.split("\n")[0]!;
    for (const length of [3_000, 400_000]) {
      const name = `${length}.log`;
      run.write(name, encodeAs(encoding, `before\n${line.repeat(length / line.length)}\nafter\n`));
      run.start([name], { encoding, maxLine: length / 2 });
      run.steps(3);
      const [before, cut, after] = text().split("\n");
      expect([before, after]).toEqual(["before", "after"]);
      const [, kept, left] = /^(.*) \[truncated: (\d+) bytes left out\]$/.exec(cut!)!;
      expect(line.repeat(length).startsWith(kept!)).toBe(true);
      expect(run.count("outrigger_log_lost_bytes_total", { reason: "line_too_long" })).toBeGreaterThanOrEqual(
        Number(left),
      );
      run.end();
    }
    run.start([]);
  });
});

describe("byte order marks", () => {
  const sample = "first line é\nsecond\n";

  test.each([
    ["UTF-8", () => Buffer.from(`\ufeff${sample}`)],
    ["UTF-16LE", () => encodeAs("utf-16le", `\ufeff${sample}`)],
    ["UTF-16BE", () => encodeAs("utf-16be", `\ufeff${sample}`)],
  ])("%s is found out by itself, also while the file is being made and after a restart", (_, make) => {
    const bytes = make();
    run.write("a.log", "");
    run.start(["*.log"]);
    for (const byte of bytes) {
      run.append("a.log", Uint8Array.of(byte));
      run.step(300);
    }
    expect(text()).toBe(sample);
    run.append("a.log", bytes.subarray(bytes.length / sample.length > 1.8 ? 2 : 3));
    run.step();
    expect(text()).toBe(sample + sample);
    run.restart(["*.log"]);
    run.append("a.log", bytes.subarray(bytes.length / sample.length > 1.8 ? 2 : 3));
    run.step();
    expect(text()).toBe(sample);
    expect(run.count("outrigger_log_skipped_bytes_total", { reason: "mark" })).toBeLessThanOrEqual(3);
    expect(run.follower.unread()).toBe(0);
  });

  test("one in the middle is text", () => {
    run.write("a.log", encodeAs("utf-16le", "\ufeffone\n"));
    run.write("b.log", Buffer.from("\ufeffone\n"));
    run.start(["*.log"]);
    run.step();
    run.append("a.log", encodeAs("utf-16le", "\ufefftwo\n"));
    run.append("b.log", Buffer.from("\ufefftwo\n"));
    run.step();
    expect(text()).toBe("one\none\n\ufefftwo\n\ufefftwo\n");
  });

  test("each file decides for itself", () => {
    run.write("a.log", encodeAs("utf-16be", "\ufeffwide\n"));
    run.write("b.log", Buffer.from("narrow é\n"));
    run.start(["*.log"]);
    run.step();
    expect(text()).toBe("wide\nnarrow é\n");
  });

  test("a file of nothing but a mark is read to its end", () => {
    run.write("a.log", Uint8Array.of(0xef, 0xbb, 0xbf));
    run.write("b.log", Uint8Array.of(0xff, 0xfe));
    run.start(["*.log"]);
    run.steps(3);
    expect([run.text, run.follower.unread()]).toEqual(["", 0]);
    run.restart(["*.log"]);
    run.append("b.log", encodeAs("utf-16le", "x\n"));
    run.steps(2);
    expect(text()).toBe("x\n");
  });
});

describe("bytes that mean nothing", () => {
  test("are counted and shown, and the lines around them are whole", () => {
    run.write(
      "a.log",
      Buffer.concat([encodeAs("gbk", "日志\n"), Buffer.of(0xff, 0x41, 0xff, 10), encodeAs("gbk", "日\n")]),
    );
    run.start(["*.log"], { encoding: "gbk" });
    run.step();
    expect(text()).toBe("日志\n\ufffdA\ufffd\n日\n");
    expect(run.count("outrigger_log_undecodable_characters_total", {})).toBe(2);
  });

  test("in UTF-8 they go out as they are", () => {
    run.write("a.log", Buffer.of(0x80, 0xff, 10));
    run.start(["*.log"], { encoding: "utf-8" });
    run.step();
    expect(Buffer.from(run.text, "latin1")).toEqual(Buffer.of(0x80, 0xff, 10));
  });

  test("UTF-16BE without a mark does not begin with a NUL that is left out", () => {
    run.write("a.log", encodeAs("utf-16be", "ab\n"));
    run.start(["*.log"], { encoding: "utf-16be" });
    run.step();
    expect(text()).toBe("ab\n");
  });

  test("half a character at the very end of a deleted file", () => {
    run.write("a.log", encodeAs("utf-16le", "one\ntwo").subarray(0, 13));
    run.start(["*.log"], { encoding: "utf-16le" });
    run.step();
    run.rename("a.log", "a.old");
    run.steps(10);
    expect(text()).toBe("one\ntw\ufffd\n");
    expect(run.follower.unread()).toBe(0);
  });
});
