import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, renameSync, rmSync, statSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CollectorProcess } from "../kit/collector-process.ts";
import { PipeRun } from "../kit/pipe-run.ts";
import { seeded, seedOf } from "../kit/random.ts";
import { until } from "../kit/until.ts";

let run: PipeRun;

beforeEach(() => {
  run = new PipeRun();
});

afterEach(() => {
  run.remove();
});

function numbered(from: number, to: number, length = 100): string {
  return Array.from({ length: to - from }, (_, at) => `${from + at} ${"x".repeat(length)}\n`).join("");
}

describe("the pipe", () => {
  test("is made where it is missing, with the permissions asked for, and its lines carry its path", async () => {
    await run.start();
    const { mode } = statSync(run.path);
    expect([statSync(run.path).isFIFO(), mode & 0o777]).toEqual([true, 0o622]);
    run.feed("one\n");
    run.steps(2);
    expect([run.text, run.paths()]).toEqual(["one\n", [run.path]]);
  });

  test("writers come and go, and see neither EPIPE nor an end", async () => {
    await run.start();
    const stays = run.writer();
    for (let i = 0; i < 5; i++) {
      const passes = run.writer();
      expect(passes.write(`short ${i}\n`)).toBeGreaterThan(0);
      passes.close();
      run.step();
      expect(stays.write(`long ${i}\n`)).toBeGreaterThan(0);
      run.step();
    }
    run.steps(2);
    expect(run.text).toBe([0, 1, 2, 3, 4].map((i) => `short ${i}\nlong ${i}\n`).join(""));
  });

  test("that was removed is made again, one that was replaced is read instead, and nothing of the old one is lost", async () => {
    await run.start();
    const old = run.writer();
    old.write("one\n");
    renameSync(run.path, `${run.path}.old`);
    old.write("two\n");
    run.steps(2);
    await until(() => statSync(run.path, { throwIfNoEntry: false })?.isFIFO() === true);
    run.steps(2);
    run.feed("three\n");
    run.steps(2);
    expect(run.text).toBe("one\ntwo\nthree\n");
  });

  test("something else at its place is said, and used once it is a pipe", async () => {
    writeFileSync(run.path, "not lines of a pipe\n");
    await run.start();
    run.steps(3);
    expect(run.said("log_pipe_unreadable")).toEqual([
      { input: "app", path: run.path, error: "it is not a named pipe" },
    ]);
    unlinkSync(run.path);
    run.steps(2);
    await until(() => statSync(run.path, { throwIfNoEntry: false })?.isFIFO() === true);
    run.steps(1);
    run.feed("lines\n");
    run.steps(2);
    expect(run.text).toBe("lines\n");
  });
});

describe("the spool", () => {
  test("is freed while lines are delivered, and keeps their order", async () => {
    await run.start();
    const all = numbered(0, 60_000);
    for (let at = 0; at < all.length; at += 400_000) {
      run.feed(all.slice(at, at + 400_000));
      run.steps(2);
      expect(run.spoolBytes()).toBeLessThanOrEqual(run.options.spool);
    }
    run.steps(5);
    expect(run.text === all).toBe(true);
    expect(readdirSync(run.spool)).toEqual(["spool.log"]);
    expect(run.count("outrigger_log_rotations_total")).toBe(0);
    expect(run.unread()).toBe(0);
  });

  test("that is full makes writers wait and loses nothing; it is said once", async () => {
    await run.start();
    run.outputs[0]!.room = 0;
    const writer = run.writer();
    const all = Buffer.from(numbered(0, 30_000));
    let at = 0;
    for (let waits = 0; waits < 5; ) {
      const taken = writer.write(all.subarray(at));
      at += taken;
      waits = taken === 0 ? waits + 1 : 0;
      run.step(50);
    }
    expect(at).toBeLessThan(all.length);
    expect(run.spoolBytes()).toBeLessThanOrEqual(run.options.spool);
    expect(run.said("log_spool_full")).toHaveLength(1);
    run.outputs[0]!.room = 1 << 30;
    for (let turns = 0; at < all.length && turns < 1_000; turns++) {
      at += writer.write(all.subarray(at));
      run.step(1_000);
    }
    run.steps(3);
    expect(run.text === all.toString()).toBe(true);
    expect(run.said("log_spool_has_room")).toHaveLength(1);
  });

  test("is kept for the output that is behind", async () => {
    await run.start(["out", "slow"]);
    run.outputs[1]!.room = 0;
    const all = numbered(0, 5_000);
    run.feed(all);
    run.steps(3);
    expect(run.text === all).toBe(true);
    expect(run.spoolBytes()).toBe(all.length);
    run.outputs[1]!.room = 1 << 30;
    run.steps(5);
    expect(run.outputs[1]!.text === all).toBe(true);
    expect(run.spoolBytes()).toBeLessThan(run.options.spool / 4);
  });

  test("the same lines again and again, through many files and restarts, are never taken for old ones", async () => {
    await run.start();
    const piece = "tick\n".repeat(20_000);
    let came = 0;
    for (let round = 0; round < 12; round++) {
      run.feed(piece);
      run.steps(4);
      came += run.text.length;
      run.end();
      await run.start();
    }
    run.steps(5);
    expect(came + run.text.length).toBe(12 * piece.length);
    expect(run.said("log_bytes_lost")).toEqual([]);
  });

  test("a line that a stop cut in two is whole, and its file goes on", async () => {
    await run.start();
    run.feed("one\ntw");
    run.steps(2);
    run.end();
    const before = run.text;
    await run.start();
    run.feed("o\nthree\n");
    run.steps(2);
    expect(before + run.text).toBe("one\ntwo\nthree\n");
  });

  test("random writes, stops and kills: every line once, but for those that were not checkpointed", async () => {
    const seed = seedOf("a pipe and its collector");
    const { next: random } = seeded(seed);
    await run.start();
    let written = 0;
    let last = -1;
    const came = new Set<number>();
    let sinceCheckpoint: number[] = [];
    const mayRepeat = new Set<number>();
    const judge = () => {
      for (const line of run.text.split("\n").slice(0, -1)) {
        const number = Number.parseInt(line, 10);
        if (!/^\d+ x+$/.test(line)) throw new Error(`SEED=${seed}: not a line: ${line.slice(0, 50)}`);
        if (number <= last) throw new Error(`SEED=${seed}: ${number} after ${last}`);
        if (came.has(number) && !mayRepeat.has(number)) throw new Error(`SEED=${seed}: ${number} came twice`);
        last = number;
        came.add(number);
        sinceCheckpoint.push(number);
      }
      run.outputs[0]!.text = "";
    };
    for (let act = 0; act < 600; act++) {
      const dice = random();
      if (dice < 0.5) {
        const count = Math.ceil(random() ** 3 * 2_000);
        run.feed(numbered(written, written + count, 1 + Math.floor(random() * 200)));
        written += count;
      } else if (dice < 0.85) run.step(Math.floor(random() * 1_500));
      else if (dice < 0.95) {
        run.checkpoint.write();
        judge();
        sinceCheckpoint = [];
      } else {
        const killed = random() < 0.5;
        judge();
        run.end({ killed });
        if (killed) for (const number of sinceCheckpoint) mayRepeat.add(number);
        sinceCheckpoint = [];
        last = -1;
        await run.start();
      }
    }
    run.steps(6);
    judge();
    expect(came.size).toBe(written);
    expect(run.said("log_bytes_lost")).toEqual([]);
  }, 60_000);
});

describe("long lines", () => {
  test("are cut with a mark, in little disk, and the next one is whole", async () => {
    await run.start();
    run.feed(`before\n${"x".repeat(3_000_000)}\nafter\n`);
    run.steps(3);
    const [before, cut, after] = run.text.split("\n");
    expect([before, after]).toEqual(["before", "after"]);
    const [, kept, left] = /^(x+) \[truncated: (\d+) bytes left out\]$/.exec(cut!)!;
    expect(kept!.length + Number(left)).toBe(3_000_000);
    expect(cut!.length).toBeLessThanOrEqual(run.options.maxLine);
    expect(run.count("outrigger_log_truncated_lines_total")).toBe(1);
    expect(run.count("outrigger_log_lost_bytes_total")).toBe(Number(left));
  });
});

test("SIGKILL loses nothing that was read, and writers go on writing", async () => {
  const folder = mkdtempSync(join(tmpdir(), "pipe-kill-"));
  try {
    const path = join(folder, "app.fifo");
    let collector = await new CollectorProcess(folder, "0", join(folder, "state"), [`pipe:${path}`]).ready();
    // The writer keeps the pipe open, so that what is in it outlives a collector; it stops when it would be told EPIPE.
    const writer = Bun.spawn(
      ["sh", "-c", `exec 3<>${path}; i=0; while [ $i -lt 30000 ]; do echo "line $i" >&3; i=$((i+1)); done; sleep 60`],
      { stdout: "ignore" },
    );
    const came: string[] = [];
    try {
      for (let kill = 1; kill <= 4; kill++) {
        await Bun.sleep(150);
        await collector.kill();
        came.push(...collector.lines());
        collector = await new CollectorProcess(folder, String(kill), join(folder, "state"), [`pipe:${path}`]).ready();
      }
      await until(() => collector.text().includes("line 29999\n"), { what: "the last line" });
      expect(await collector.stop()).toBe(0);
      came.push(...collector.lines());
    } finally {
      writer.kill("SIGKILL");
      collector.child.kill("SIGKILL");
    }
    expect(came.filter((line) => !/^line \d+$/.test(line))).toEqual([]);
    const numbers = new Set(came.map((line) => Number(line.slice("line ".length))));
    expect(Array.from({ length: 30_000 }, (_, i) => i).filter((i) => !numbers.has(i))).toEqual([]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}, 60_000);
