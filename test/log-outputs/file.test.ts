/** The output `file` on real files; a full disk is a small tmpfs, or a limit on the size of files where none can be mounted. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { AppendedFile } from "../../src/log-outputs/_appended-file.ts";
import file from "../../src/log-outputs/file.ts";
import { blockOf, OutputRun, recordBlock, testSource } from "../kit/output-run.ts";
import { until } from "../kit/until.ts";

let folder: string;
let runs: OutputRun[];
let wallMs: number;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "file-output-"));
  runs = [];
  wallMs = Date.now();
});

afterEach(async () => {
  for (const run of runs) await run.close();
  rmSync(folder, { recursive: true, force: true });
});

async function open(options: Record<string, unknown> = {}): Promise<OutputRun> {
  const run = await OutputRun.open(file, { path: "out.log", ...options }, { folder, wall: () => wallMs });
  runs.push(run);
  return run;
}

const text = (name = "out.log") => readFileSync(join(folder, name), "latin1");
const names = () => readdirSync(folder).sort();

describe("what is written", () => {
  test("lines as they are, block after block, behind what was there", async () => {
    writeFileSync(join(folder, "out.log"), "before\n");
    const run = await open();
    expect(await run.deliver("a\n", "b\r\n\u00ff\u0000\n")).toEqual({ outcome: "delivered" });
    await run.deliver("c\n");
    expect(text()).toBe("before\na\nb\r\n\u00ff\u0000\nc\n");
  });

  test("each line as JSON when asked, parsed records with their own fields, static fields beside both", async () => {
    const run = await open({ format: "json" });
    const source = { ...testSource, fields: { app: "shop", message: "not this" } };
    const records = [
      { text: "plain", time: 1_700_000_000_123_456_789n, severity: "warn" as const },
      { text: '{"a":1}', fields: { a: 1 } },
    ];
    await run.deliver(blockOf('say "hi"\r\n', 0, source), recordBlock(records, source));
    const own = '"app":"shop"';
    expect(text().split("\n")).toEqual([
      `{"message":"say \\"hi\\"",${own}}`,
      `{"time":"2023-11-14T22:13:20.123456789Z","severity":"warn","message":"plain",${own}}`,
      `{${own},"message":"not this","a":1}`,
      "",
    ]);
  });

  test("into folders made for it, with the mode asked for", async () => {
    const run = await open({ path: "deep/er/out.log", mode: "0600" });
    await run.deliver("a\n");
    expect(statSync(join(folder, "deep/er/out.log")).mode & 0o777).toBe(0o600);
  });

  test("into a file for each source and day, and no name leads out of the folder", async () => {
    const run = await open({ path: "{fields.app}/{input}-{file}-{date}T{hour}.log" });
    wallMs = Date.UTC(2026, 10, 26, 4);
    const of = (app: unknown) => ({ ...testSource, fields: { app } });
    await run.deliver(blockOf("a\n", 0, of("shop")), blockOf("b\n", 0, of("../..")), blockOf("c\n", 9, of("shop")));
    expect(text("shop/app-app.log-2026-11-26T04.log")).toBe("a\nc\n");
    expect(text(".._../app-app.log-2026-11-26T04.log")).toBe("b\n");
    await run.deliver(blockOf("d\n", 0, of("..")));
    expect(names()).toEqual([".._..", "_", "shop"]);
  });

  test("into the file that has the name, though ours was renamed, removed or truncated meanwhile", async () => {
    const run = await open();
    await run.deliver("a\n");
    renameSync(join(folder, "out.log"), join(folder, "moved"));
    await run.deliver("b\n");
    rmSync(join(folder, "out.log"));
    await run.deliver("c\n");
    truncateSync(join(folder, "out.log"), 0);
    await run.deliver("d\n");
    expect([text("moved"), text()]).toEqual(["a\n", "d\n"]);
  });
});

describe("rotation", () => {
  test("by size, before the file would become larger, and keeps what it was told to keep", async () => {
    const run = await open({ rotate: { size: 10, keep: 2 } });
    for (const line of ["aaaa\n", "bbbb\n", "cccc\n", "dddd\n", "eeee\n", "ffff\n", "gggg\n"]) await run.deliver(line);
    expect(names()).toEqual(["out.log", "out.log.1", "out.log.2"]);
    expect([text(), text("out.log.1"), text("out.log.2")]).toEqual(["gggg\n", "eeee\nffff\n", "cccc\ndddd\n"]);
  });

  test("never for an empty file, and never within a batch", async () => {
    const run = await open({ rotate: { size: 4 } });
    await run.deliver("longer than four\n", "and more\n");
    expect(names()).toEqual(["out.log"]);
    await run.deliver("next\n");
    expect([text("out.log.1"), text()]).toEqual(["longer than four\nand more\n", "next\n"]);
  });

  test("by age, over a restart", async () => {
    const first = await open({ rotate: { age: "1h" } });
    await first.deliver("old\n");
    await first.close();
    const run = await open({ rotate: { age: "1h" } });
    await run.deliver("young enough\n");
    wallMs += 3_700_000;
    await run.deliver("new\n");
    expect([text("out.log.1"), text()]).toEqual(["old\nyoung enough\n", "new\n"]);
  });

  test("compressed, with the permissions the file had: others may read them no more than before", async () => {
    const run = await open({ mode: "0600", rotate: { size: 6, gzip: true } });
    await run.deliver("12345\n");
    await run.deliver("6789\n");
    await until(() => names().includes("out.log.1.gz") && !names().includes("out.log.1"));
    const modes = names().map((name) => statSync(join(folder, name)).mode & 0o777);
    expect([names(), modes]).toEqual([
      ["out.log", "out.log.1.gz"],
      [0o600, 0o600],
    ]);
  });

  test("compresses what was rotated, also what an earlier run left", async () => {
    writeFileSync(join(folder, "out.log.1"), "left\n");
    const run = await open({ rotate: { size: 6, gzip: true } });
    const long = `${"x".repeat(3_000_000)}\n`;
    await run.deliver(long);
    await run.deliver("b\n");
    await until(() => existsSync(join(folder, "out.log.1.gz")) && existsSync(join(folder, "out.log.2.gz")));
    await run.close();
    runs.pop();
    expect(names()).toEqual(["out.log", "out.log.1.gz", "out.log.2.gz"]);
    const unpacked = (name: string) => gunzipSync(readFileSync(join(folder, name))).toString();
    expect(unpacked("out.log.1.gz") === long).toBe(true);
    expect([unpacked("out.log.2.gz"), text()]).toEqual(["left\n", "b\n"]);
  });

  test("loses no line, whatever sizes batches have", async () => {
    const run = await open({ rotate: { size: 300, keep: 999, gzip: true }, sync: false });
    let state = 7;
    const next = (most: number) => {
      state = (state * 16807) % 2147483647; // Lehmer's generator
      return state % most;
    };
    let all = "";
    for (let batch = 0; batch < 120; batch++) {
      const lines = Array.from({ length: 1 + next(9) }, (_, at) => `${batch}.${at} ${"x".repeat(next(40))}\n`);
      all += lines.join("");
      await run.deliver(...lines);
    }
    await run.close();
    runs.pop();
    const rotated = names().flatMap((name) => /\.(\d+)(?:\.gz)?$/.exec(name)?.[1] ?? []);
    const order = rotated.map(Number).sort((a, b) => b - a);
    const parts = order.map((number) => {
      const packed = join(folder, `out.log.${number}.gz`);
      return existsSync(packed) ? gunzipSync(readFileSync(packed)).toString() : text(`out.log.${number}`);
    });
    expect(order.length).toBeGreaterThan(20);
    expect(parts.join("") + text()).toBe(all);
  });
});

describe("what cannot be written", () => {
  test.each([
    ["a folder in its place", () => mkdirSync(join(folder, "out.log")), /out\.log: it is a directory \(EISDIR\)/],
    ["a file where a folder should be", () => writeFileSync(join(folder, "sub"), ""), /no directory|EEXIST/],
    ["a pipe", () => void Bun.spawnSync(["mkfifo", join(folder, "out.log")]), /not a regular file/],
  ])("is a retry that says why: %s", async (what, prepare, reason) => {
    prepare();
    const run = await open(what.startsWith("a file") ? { path: "sub/out.log" } : {});
    const delivery = await run.deliver("a\n");
    expect(delivery).toMatchObject({ outcome: "retry", reason: expect.stringMatching(reason) });
    rmSync(join(folder, what.startsWith("a file") ? "sub" : "out.log"), { recursive: true });
    expect(await run.deliver("a\n")).toEqual({ outcome: "delivered" });
  });

  test("leaves no half block behind, and the retry repeats nothing: a file that may not grow", async () => {
    // RLIMIT_FSIZE of the child: a write is cut at the limit, and the next one fails with EFBIG.
    const child = join(import.meta.dir, "../kit/full-disk.ts");
    const { stdout, exitCode } = Bun.spawnSync(
      ["bash", "-c", `trap '' XFSZ; ulimit -f 4; exec "$0" "$@"`, process.execPath, child, join(folder, "out.log")],
      { stderr: "inherit" },
    );
    expect({ exitCode, ...JSON.parse(stdout.toString()) }).toEqual({
      exitCode: 0,
      outcomes: ["delivered", "retry", "retry", "delivered"],
      reason: `${folder}/out.log: it is as large as files may be here (EFBIG)`,
      isWhole: true,
    });
  });

  test("is taken back from every file the batch went to", async () => {
    const run = await open({ path: "{file}" });
    const other = { ...testSource, path: "/logs/other" };
    mkdirSync(join(folder, "other"));
    const blocks = [blockOf("a\n"), blockOf("b\n", 0, other)];
    expect((await run.deliver(...blocks)).outcome).toBe("retry");
    expect(text("app.log")).toBe("");
    rmSync(join(folder, "other"), { recursive: true });
    expect((await run.deliver(...blocks)).outcome).toBe("delivered");
    expect([text("app.log"), text("other")]).toEqual(["a\n", "b\n"]);
  });

  test("stays where somebody else wrote behind it, its last line ended", () => {
    const shared = AppendedFile.open(join(folder, "out.log"), undefined);
    shared.begin();
    shared.append(Buffer.from("ours\nto"));
    appendFileSync(join(folder, "out.log"), "theirs");
    expect(shared.undo()).toBe(7);
    expect(text()).toBe("ours\ntotheirs\n");
    shared.begin();
    expect(shared.undo()).toBe(0);
    shared.close();
  });
});

describe("a restart", () => {
  test("cuts off a last line that was not written whole, and says so", async () => {
    writeFileSync(join(folder, "out.log"), `one\ntwo\n${"t".repeat(200_000)}`);
    const run = await open();
    await run.deliver("three\n");
    expect(text()).toBe("one\ntwo\nthree\n");
    expect(run.count("outrigger_log_file_repaired_bytes_total")).toBe(200_000);
    expect(run.events).toEqual([
      { event: "log_file_repaired", fields: { output: "file", path: join(folder, "out.log"), bytes: 200_000 } },
    ]);
  });

  test("leaves a whole last line alone", async () => {
    appendFileSync(join(folder, "out.log"), "one\n");
    const run = await open();
    await run.deliver("two\n");
    expect([text(), run.events.length]).toEqual(["one\ntwo\n", 0]);
  });
});
