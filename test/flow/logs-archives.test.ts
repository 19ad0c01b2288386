import { describe, expect, test } from "bun:test";
import { copyFileSync, readdirSync, readFileSync, renameSync, statSync, unlinkSync, utimesSync } from "node:fs";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type FollowRun, followInEachTest } from "../kit/follow-run.ts";
import { seeded, seedOf } from "../kit/random.ts";

let run: FollowRun;

followInEachTest((fresh) => {
  run = fresh;
});

const archives = true;
const packers = { gz: gzipSync, zst: zstdCompressSync } as const;
type Suffix = keyof typeof packers;

/** What gzip does: a new file with the times of the old one, which goes. */
function compress(name: string, suffix: Suffix = "gz"): string {
  const { atime, mtime } = statSync(run.path(name));
  const archive = `${name}.${suffix}`;
  run.write(archive, packers[suffix](readFileSync(run.path(name))));
  utimesSync(run.path(archive), atime, mtime);
  unlinkSync(run.path(name));
  return archive;
}

/** Turns, with time for the threads that unpack between them, until nothing has come for a while. */
async function settle(seconds = 12): Promise<void> {
  for (let i = 0; i < seconds; i++) {
    run.step();
    for (let wait = 0; wait < 4; wait++) {
      await Bun.sleep(3);
      run.step(10);
    }
  }
}

function lines(from: number, to: number): string {
  return Array.from({ length: to - from }, (_, at) => `line ${from + at}\n`).join("");
}

describe.each(["gz", "zst"] as const)("%s", (suffix) => {
  for (const pattern of ["app.log", "app.log*"]) {
    test(`the rest of a file that was compressed while nobody looked comes once; pattern ${pattern}`, async () => {
      run.write("app.log", lines(0, 1_000));
      run.start([pattern], { archives });
      run.step();
      run.end();
      run.append("app.log", lines(1_000, 50_000));
      run.rename("app.log", "app.log.1");
      compress("app.log.1", suffix);
      run.write("app.log", "new file\n");
      run.start([pattern], { archives });
      await settle();
      const came = run.text.split("\n").slice(0, -1);
      expect(`${came.filter((line) => line !== "new file").join("\n")}\n` === lines(1_000, 50_000)).toBe(true);
      expect(came.filter((line) => line === "new file")).toHaveLength(1);
      expect(run.said("log_bytes_lost")).toEqual([]);
      run.restart([pattern], { archives });
      await settle();
      expect(run.text).toBe("");
    });
  }

  test("a file that was read does not come again when it is compressed, and again not after a restart", async () => {
    run.write("app.log", lines(0, 1_000));
    run.start(["app.log*"], { archives });
    run.step();
    run.rename("app.log", "app.log.1");
    run.write("app.log", "new file\n");
    run.steps(3);
    compress("app.log.1", suffix);
    await settle();
    run.rename(`app.log.1.${suffix}`, `app.log.2.${suffix}`);
    await settle();
    expect(run.text).toBe(`${lines(0, 1_000)}new file\n`);
    run.restart(["app.log*"], { archives });
    await settle();
    expect(run.text).toBe("");
  });

  test("archives that were never read as files come whole, the oldest first, once", async () => {
    for (const [age, text] of [
      [3, lines(0, 10)],
      [2, lines(10, 20)],
      [1, lines(20, 30)],
    ] as const) {
      run.write(`app.log.${age}.${suffix}`, packers[suffix](Buffer.from(text)));
      const then = Date.now() / 1_000 - 1_000 * age;
      utimesSync(run.path(`app.log.${age}.${suffix}`), then, then);
    }
    run.start(["app.log*"], { archives });
    await settle();
    expect(run.text).toBe(lines(0, 30));
    copyFileSync(run.path(`app.log.2.${suffix}`), run.path(`app.log.9.${suffix}`));
    await settle();
    expect(run.text).toBe(lines(0, 30));
    run.restart(["app.log*"], { archives });
    await settle();
    expect(run.text).toBe("");
  });

  test("several members, a last line without a newline, and names that say nothing", async () => {
    const parts = [lines(0, 5), "", lines(5, 9), "the end"].map((text) => packers[suffix](Buffer.from(text)));
    run.write("strange.log", Buffer.concat(parts));
    run.start(["*.log"], { archives });
    await settle();
    expect(run.text).toBe(`${lines(0, 9)}the end\n`);
  });

  test("one that is cut is read as far as it goes, said once, and never again", async () => {
    const { next: random } = seeded(7);
    const text = Array.from({ length: 20_000 }, (_, at) => `${at} ${random()}\n`).join("");
    const whole = packers[suffix](Buffer.from(text));
    run.write(`app.log.1.${suffix}`, whole.subarray(0, whole.length / 2));
    run.start(["app.log*"], { archives });
    await settle();
    expect(text.startsWith(run.text)).toBe(true);
    expect(run.text.length).toBeGreaterThan(text.length / 10);
    expect(run.said("log_archive_broken")).toHaveLength(1);
    expect(run.count("outrigger_log_broken_archives_total", {})).toBe(1);
    run.restart(["app.log*"], { archives });
    await settle();
    expect([run.text, run.said("log_archive_broken").length]).toEqual(["", 1]);
  });

  test("one that is still being made is left alone until it is done", async () => {
    const whole = packers[suffix](Buffer.from(lines(0, 30_000)));
    run.write(`app.log.1.${suffix}`, "");
    run.start(["app.log*"], { archives });
    for (let at = 0; at < whole.length; at += whole.length / 5) {
      await settle(3);
      run.append(`app.log.1.${suffix}`, whole.subarray(at, at + whole.length / 5));
      expect(run.text).toBe("");
    }
    await settle();
    expect(run.text === lines(0, 30_000)).toBe(true);
    expect(run.said("log_archive_broken")).toEqual([]);
  });
});

test("logs that begin alike are told apart by what was read of them", async () => {
  const banner = "the same first words\n".repeat(100);
  run.write("a.log", `${banner}a1\n`);
  run.write("b.log", `${banner}b1\n`);
  run.start(["a.log", "b.log"], { archives });
  run.step();
  run.end();
  for (const name of ["a", "b"]) {
    run.append(`${name}.log`, `${name}2\n`);
    run.rename(`${name}.log`, `${name}.log.1`);
    compress(`${name}.log.1`);
  }
  run.start(["a.log", "b.log"], { archives });
  await settle();
  expect(run.text.split("\n").slice(0, -1).sort()).toEqual(["a2", "b2"]);
});

test("of a log that was known by a few bytes of its first line, every archive is read, not only one that begins so", async () => {
  run.write("app.log", "li");
  run.start(["app.log*"], { archives });
  run.step();
  run.end();
  run.write("app.log", lines(0, 1_000));
  for (const from of [1_000, 2_000]) {
    if (from > 1_000) run.rename("app.log.1.gz", "app.log.2.gz");
    run.rename("app.log", "app.log.1");
    compress("app.log.1");
    run.write("app.log", lines(from, from + 1_000));
  }
  run.start(["app.log*"], { archives });
  await settle(20);
  const came = run.text.split("\n").slice(0, -1);
  expect(came.toSorted()).toEqual(lines(0, 3_000).split("\n").slice(0, -1).toSorted());
});

test("a kill while an archive is read repeats only what was not acknowledged", async () => {
  const text = lines(0, 200_000);
  run.write("app.log.1.gz", gzipSync(Buffer.from(text)));
  run.start(["app.log*"], { archives });
  run.acknowledges = false;
  run.output("stdout").room = 0;
  await settle(8);
  run.output("stdout").room = 1;
  await settle(1);
  run.output("stdout").room = 0;
  run.acknowledge();
  run.checkpoint.write();
  const before = run.text;
  run.output("stdout").room = 1 << 30;
  await settle(2);
  run.end({ killed: true });
  run.acknowledges = true;
  run.start(["app.log*"], { archives });
  await settle();
  expect(before.length).toBeGreaterThan(0);
  expect(before + run.text === text).toBe(true);
});

test("a stalled output does not hold up another, and each gets all of it once", async () => {
  const options = { archives, outputs: ["fast", "slow"] };
  run.write("app.log.1.gz", gzipSync(Buffer.from(lines(0, 100_000))));
  run.start(["app.log*"], options);
  run.output("slow").room = 0;
  await settle();
  expect(run.output("fast").text === lines(0, 100_000)).toBe(true);
  expect(run.output("slow").text).toBe("");
  run.output("slow").room = 1 << 30;
  await settle(4);
  expect(run.output("slow").text === lines(0, 100_000)).toBe(true);
});

test("an archive that grows a thousandfold takes little memory, and lines too long are cut in it", async () => {
  const zeros = Buffer.alloc(64 * 1024 * 1024, "x");
  zeros[zeros.length - 1] = 10;
  run.write("app.log.1.gz", Buffer.concat([gzipSync(zeros), gzipSync(zeros), gzipSync(Buffer.from("after\n"))]));
  run.start(["app.log*"], { archives });
  run.step();
  const before = process.memoryUsage().rss;
  let most = 0;
  for (let i = 0; i < 2_000 && !run.text.endsWith("after\n"); i++) {
    await settle(1);
    most = Math.max(most, process.memoryUsage().rss);
  }
  const [one, two, after] = run.text.split("\n");
  expect([one, two].map((line) => / \[truncated: \d+ bytes left out\]$/.test(line!))).toEqual([true, true]);
  expect(after).toBe("after");
  expect(run.count("outrigger_log_truncated_lines_total", {})).toBe(2);
  expect(most - before).toBeLessThan(64 * 1024 * 1024);
});

test("without the option compressed files are left out and said once, other files are not looked into", async () => {
  run.write("app.log.1.gz", gzipSync("lines\n"));
  run.write("app.log.2.xz", Buffer.concat([Buffer.of(0xfd, 0x37, 0x7a, 0x58, 0x5a, 0), Buffer.from("rest")]));
  run.write("app.log.3.gz", "plain in spite of its name\n");
  run.start(["app.log*"]);
  run.steps(5);
  expect(run.text).toBe("plain in spite of its name\n");
  expect(run.said("log_archive_left_out").map(({ compression }) => compression)).toEqual(["gzip", "xz"]);
});

test("archives that were there at the very first start are passed over where that begins at the end", async () => {
  run.write("app.log", lines(0, 5));
  run.write("app.log.1.gz", gzipSync("old\n"));
  run.start(["app.log*"], { archives, from: "end" });
  await settle();
  run.write("app.log.2.gz", gzipSync("missed\n"));
  await settle();
  expect(run.text).toBe("missed\n");
});

test("UTF-16 in an archive", async () => {
  run.write("app.log.1.gz", gzipSync(Buffer.from("\ufeffzeile ä\nzwei\n", "utf16le")));
  run.start(["app.log*"], { archives });
  await settle();
  expect(Buffer.from(run.text, "latin1").toString()).toBe("zeile ä\nzwei\n");
});

test("random rotations with compression, stops and kills: every line, and twice only what was not checkpointed", async () => {
  const seed = seedOf("logs and archives");
  const { next: random } = seeded(seed);
  let written = 0;
  const came = new Set<number>();
  let since: number[] = [];
  const mayRepeat = new Set<number>();
  const judge = () => {
    for (const line of run.text.split("\n").slice(0, -1)) {
      const number = Number(/^line (\d+)$/.exec(line)?.[1]);
      if (came.has(number) && !mayRepeat.has(number)) throw new Error(`SEED=${seed}: ${number} came twice`);
      came.add(number);
      since.push(number);
    }
    run.output("stdout").text = "";
  };
  const append = () => {
    const count = Math.ceil(random() * 3_000);
    run.append("app.log", lines(written, written + count));
    written += count;
  };
  const rotate = () => {
    const names = readdirSync(run.logs).filter((name) => /^app\.log\.\d+/.test(name));
    for (const name of names.sort().reverse()) {
      renameSync(
        run.path(name),
        run.path(name.replace(/\d+/, (number) => String(Number(number) + 1).padStart(2, "0"))),
      );
    }
    run.rename("app.log", "app.log.01");
    run.write("app.log", "");
  };
  const pack = () => {
    const names = readdirSync(run.logs).filter((name) => /^app\.log\.\d+$/.test(name));
    const name = names[Math.floor(random() * names.length)];
    if (name !== undefined) compress(name, random() < 0.5 ? "gz" : "zst");
  };
  run.write("app.log", "");
  run.start(["app.log*"], { archives });
  run.step();
  for (let act = 0; act < 80; act++) {
    const dice = random();
    if (dice < 0.4) append();
    else if (dice < 0.55) await settle(Math.ceil(random() * 3));
    else if (dice < 0.65) {
      append();
      rotate();
      await settle(2);
    } else if (dice < 0.8) pack();
    else {
      const killed = random() < 0.5;
      judge();
      run.end({ killed });
      if (killed) for (const number of since) mayRepeat.add(number);
      since = [];
      for (let away = Math.ceil(random() * 2); away > 0; away--) {
        append();
        rotate();
        if (random() < 0.7) pack();
      }
      run.start(["app.log*"], { archives });
    }
    judge();
  }
  await settle(20);
  judge();
  const missing = Array.from({ length: written }, (_, i) => i).filter((number) => !came.has(number));
  if (missing.length > 0) throw new Error(`SEED=${seed}: missing ${missing.length}, first ${missing[0]}`);
}, 120_000);
