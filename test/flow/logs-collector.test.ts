import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  appendFileSync,
  closeSync,
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { CollectorProcess } from "../kit/collector-process.ts";
import { until } from "../kit/until.ts";

let folder: string;
let running: CollectorProcess[];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "collector-"));
  mkdirSync(join(folder, "logs"));
  running = [];
});

afterEach(async () => {
  for (const one of running) await one.kill();
  rmSync(folder, { recursive: true, force: true });
});

const path = (name: string) => join(folder, "logs", name);

async function start(patterns: string[], stdout?: number): Promise<CollectorProcess> {
  const name = String(running.length);
  const one = new CollectorProcess(folder, name, join(folder, "state"), patterns.map(path), stdout);
  running.push(one);
  return one.ready();
}

/** A named pipe that holds 64 KiB, both ends open. */
function pipe(): { reader: number; writer: number } {
  const at = join(folder, "pipe");
  expect(Bun.spawnSync(["mkfifo", at]).exitCode).toBe(0);
  const reader = openSync(at, constants.O_RDONLY | constants.O_NONBLOCK);
  return { reader, writer: openSync(at, constants.O_WRONLY) };
}

function readPipe(fd: number): string {
  const bytes = Buffer.alloc(1 << 20);
  try {
    return bytes.toString("latin1", 0, readSync(fd, bytes));
  } catch {
    return "";
  }
}

test("lines, records, state and numbers come from the worker; SIGTERM drains and ends with 0", async () => {
  writeFileSync(path("a.log"), "one\n");
  const one = await start(["*.log"]);
  one.tell({ record: ["access", '{"status":200}'] });
  one.tell({ record: ["schedule", "Hello"] });
  await until(() => one.lines().length === 3);
  expect(one.lines().sort()).toEqual(["Hello", "one", '{"status":200}'].sort());
  one.tell({ state: true });
  expect((await one.said("state")).rows).toMatchObject([
    { input: "files", path: path("a.log"), state: "live", sizeBytes: 4, outputs: { stdout: { readBytes: 4 } } },
  ]);
  one.tell({ metrics: true });
  expect(await one.said("metrics")).toMatchObject({
    "outrigger_log_read_bytes_total{files}": 4,
    "outrigger_log_read_lines_total{files}": 1,
  });
  appendFileSync(path("a.log"), "two\nlast");
  expect(await one.stop()).toBe(0);
  expect(one.lines().slice(-2)).toEqual(["two", "last"]);
  expect(await one.said("drained")).toMatchObject({ unreadBytes: 0, unsentBytes: 0 });
});

test("a reload takes effect in the worker", async () => {
  writeFileSync(path("a.log"), "a1\n");
  writeFileSync(path("b.log"), "b1\n");
  const one = await start(["a.log"]);
  await until(() => one.text() === "a1\n");
  one.tell({ reload: [path("b.log")] });
  await until(() => one.text() === "a1\nb1\n");
});

describe("a reader of stdout that stalls", () => {
  test("leaves the main thread alone; records beyond the ring are dropped, lines are not", async () => {
    const { reader, writer } = pipe();
    writeFileSync(path("a.log"), `${"x".repeat(999)}\n`.repeat(20_000));
    const one = await start(["*.log"], writer);
    closeSync(writer);
    one.tell({ record: ["access", "y".repeat(900_000)] });
    one.tell({ state: true });
    await one.said("state");
    for (let i = 0; i < 12; i++) one.tell({ record: ["access", "z".repeat(900_000)] });
    await one.said("dropped");

    const pieces: string[] = [];
    let lines = 0;
    let last = "";
    await until(
      () => {
        for (let piece = readPipe(reader); piece !== ""; piece = readPipe(reader)) {
          pieces.push(piece);
          lines += `${last}${piece}`.split("x\n").length - 1;
          last = piece.at(-1)!;
        }
        return lines === 20_000;
      },
      { deadlineMs: 20_000 },
    );
    const text = pieces.join("");
    expect(text.match(/^x{999}$/gm)).toHaveLength(20_000);
    expect(text.match(/^y+$/gm)?.map((line) => line.length)).toEqual([900_000]);
    const ended = one.stop();
    await until(() => {
      readPipe(reader);
      return one.child.exitCode !== null;
    });
    expect(await ended).toBe(0);
    expect((await one.said("lag")).latestMs).toBeLessThan(2_000);
    closeSync(reader);
  }, 30_000);

  test("and then leaves: it is said once, nothing is acknowledged, and the next start has what was not taken", async () => {
    const { reader, writer } = pipe();
    writeFileSync(path("a.log"), "one\n");
    const one = await start(["*.log"], writer);
    closeSync(writer);
    await until(() => readPipe(reader) === "one\n");
    await until(() => {
      one.tell({ metrics: true });
      return one.events().some((fields) => fields["outrigger_log_acknowledged_bytes_total{stdout}"] === 4);
    });
    closeSync(reader);
    appendFileSync(path("a.log"), "two\n");
    expect(await one.said("stdout_broken")).toMatchObject({ error: "EPIPE" });
    appendFileSync(path("a.log"), "three\n");
    one.tell({ state: true });
    expect((await one.said("state")).rows).toMatchObject([{ outputs: { stdout: { acknowledgedBytes: 4 } } }]);
    await one.kill();
    const two = await start(["*.log"]);
    await until(() => two.text() === "two\nthree\n" || two.text() === "one\ntwo\nthree\n");
  });
});

test("a second collector on the same state is refused with exit code 3", async () => {
  const one = await start(["*.log"]);
  const two = new CollectorProcess(folder, "two", join(folder, "state"), [path("*.log")]);
  running.push(two);
  expect(await two.said("refused")).toMatchObject({
    message: `UserError: ${folder}/state/logs: another outrigger (process ${one.pid}) keeps its positions of log files here; give each its own \`state:\``,
    exitCode: 3,
  });
});

test("a worker that fails is started again and goes on where it was; its numbers stay", async () => {
  writeFileSync(path("a.log"), "one\n");
  const one = await start(["*.log"]);
  await until(() => one.text() === "one\n");
  const checkpoint = join(folder, "state/logs/checkpoint.json");
  await until(() => existsSync(checkpoint) && readFileSync(checkpoint, "utf8").includes('"at":4'));
  one.tell({ crash: true });
  expect((await one.said("log_worker_failed")).error).toContain("TypeError");
  appendFileSync(path("a.log"), "two\n");
  one.tell({ record: ["access", "kept in the ring"] });
  await until(() => one.lines().length === 3);
  expect(one.lines().sort()).toEqual(["kept in the ring", "one", "two"]);
  expect(await one.stop()).toBe(0);
}, 20_000);
