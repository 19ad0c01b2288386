import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  existsSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linesIn, QueueRun, source } from "../../../test/kit/queue-run.ts";
import { until } from "../../../test/kit/until.ts";
import type { Batch, Delivery } from "../../contracts.ts";
import { plainBlock } from "../plain-block.ts";
import { LineRecord, RecordBlock } from "../shaping/record.ts";
import { DeadLetterFile } from "./dead-letters.ts";
import type { Rejected } from "./outcome.ts";

let folder: string;
let file: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "letters-"));
  file = join(folder, "dead/out.ndjson");
});

afterEach(() => rmSync(folder, { recursive: true }));

const read = (path = file) => readFileSync(path, "utf8").split("\n").slice(0, -1);
const letters = () => read().map((line) => JSON.parse(line) as Record<string, unknown>);

/** Takes all but lines with a `!`. */
async function picky(batch: Batch): Promise<Delivery> {
  const lines = linesIn(batch);
  const rejected = lines.flatMap((line, item) => (line.includes("!") ? [{ item, reason: "has a !" }] : []));
  return { outcome: "delivered", rejected };
}

function runWith(bytes = 1_000_000, deliver = picky): QueueRun {
  return new QueueRun(deliver, {
    letters: (thread) => new DeadLetterFile({ output: "out", file, bytes, thread }),
    batch: { bytes: 1 },
  });
}

describe("what an output will never have", () => {
  test("is in its file before it counts as done, with where it came from and why", async () => {
    const run = runWith();
    run.onAcknowledged = () => expect(letters()).toHaveLength(1);
    run.offer("one\ntwo!\nthree\n");
    await run.queue.flush();
    expect(run.done).toEqual(["0-15"]);
    expect(letters()).toEqual([
      {
        time: "1970-01-01T00:00:00.000Z",
        output: "out",
        cause: "rejected",
        reason: "has a !",
        input: "i",
        path: "/p",
        source: "1",
        offset: 4,
        line: "two!",
      },
    ]);
    expect(run.count("outrigger_log_dead_lettered_bytes_total", { cause: "rejected" })).toBe(5);
    expect(run.count("outrigger_log_acknowledged_bytes_total")).toBe(10);
    expect(run.events).toMatchObject([{ event: "log_lines_rejected", fields: { lines: 1, bytes: 5 } }]);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    await run.queue.close();
  });

  test("is kept byte by byte where it is no UTF-8, as fields where it was parsed", () => {
    const parsed = new LineRecord(source, 9, Buffer.from("level=error !"));
    parsed.fields = { level: "error" };
    parsed.severity = "error";
    parsed.time = 1_767_323_045_123_456_789n;
    const blocks = [
      plainBlock(source, Buffer.from([0x61, 0xff, 0x0a]), 5),
      new RecordBlock([parsed], {
        source: { ...source, fields: { app: "shop" } },
        start: 8,
        mark: { offset: 23 },
        heldBytes: 0,
      }),
      new RecordBlock([new LineRecord(source, 23, Buffer.from([0xff]))], {
        source,
        start: 23,
        mark: { offset: 25 },
        heldBytes: 0,
      }),
    ];
    const thread = { clock: { now: () => 0, wall: () => 0 }, emit: () => {}, metrics: runWith().metrics };
    const out = new DeadLetterFile({ output: "out", file, bytes: 1e6, thread });
    expect(out.keep(blocks.map((block): Rejected => ({ block, cause: "refused", reason: "no" })))).toBe(3);
    out.close();
    expect(letters()).toMatchObject([
      { offset: 5, base64: "Yf8=" },
      { offset: 9, recordTime: "2026-01-02T03:04:05.123456789Z", severity: "error", fields: { level: "error" } },
      { offset: 23, base64: "/w==" },
    ]);
    expect(letters()[0]).not.toHaveProperty("line");
  });

  test("takes at most the size granted: the file before is kept, the one before that is gone and counted", async () => {
    const run = runWith(4_000);
    for (let n = 0; n < 40; n++) run.offer(`${n}!\n`);
    await run.queue.flush();
    const kept = [...read(`${file}.1`), ...read()].map((line) => JSON.parse(line).line);
    expect(kept).toEqual(Array.from({ length: kept.length }, (_, n) => `${40 - kept.length + n}!`));
    expect(statSync(file).size + statSync(`${file}.1`).size).toBeLessThanOrEqual(4_000);
    expect(kept.length).toBeGreaterThan(10);
    expect(run.count("outrigger_log_dead_letters_overwritten_bytes_total")).toBeGreaterThan(1_000);
    expect(run.said).toContain("log_dead_letters_overwritten");
    await run.queue.close();
  });

  test("waits, and everything behind it, while the disk is full; nothing is acknowledged meanwhile", async () => {
    symlinkSync("/dev/full", join(folder, "full.ndjson"));
    file = join(folder, "full.ndjson");
    const run = runWith();
    run.queue.hurry();
    run.offer("a!\n");
    run.offer("b\n");
    await until(() => run.count("outrigger_log_dead_letter_failures_total") > 0);
    expect(run.done).toEqual([]);
    rmSync(file);
    await run.queue.flush();
    expect(run.done).toEqual(["0-3", "3-5"]);
    expect(letters()).toMatchObject([{ line: "a!" }]);
    expect(run.said).toEqual(["log_dead_letters_failed", "log_lines_rejected"]);
    expect(run.count("outrigger_log_ledger_imbalance_bytes")).toBe(0);
    await run.queue.close();
  });

  test("is not acknowledged when the collector ends while the disk is full", async () => {
    symlinkSync("/dev/full", join(folder, "full.ndjson"));
    file = join(folder, "full.ndjson");
    const run = runWith();
    run.offer("a!\n");
    const flushed = run.queue.flush();
    await until(() => run.said.includes("log_dead_letters_failed"));
    run.abort.abort();
    await flushed;
    expect([run.done, run.queue.unsentBytes]).toEqual([[], 3]);
  });

  test("is appended after half a letter that a kill left, on a line of its own", async () => {
    const first = runWith();
    first.offer("a!\n");
    await first.queue.close();
    writeFileSync(file, `${readFileSync(file, "utf8")}{"time":"19`);
    const second = runWith();
    second.offer("b!\n");
    await second.queue.close();
    expect(read().map((line) => line.slice(-12))).toEqual([
      expect.stringContaining('"a!"'),
      '{"time":"19',
      expect.stringContaining('"b!"'),
    ]);
  });

  test("goes on in a new file when somebody took the old one away", async () => {
    const run = runWith();
    run.offer("a!\n");
    await run.queue.flush();
    renameSync(file, join(folder, "taken"));
    run.offer("b!\n");
    await run.queue.close();
    expect([read(join(folder, "taken")).length, letters()]).toMatchObject([1, [{ line: "b!" }]]);
  });

  test("costs no file as long as everything is delivered", async () => {
    const run = runWith();
    run.offer("a\n");
    await run.queue.close();
    expect(existsSync(join(folder, "dead"))).toBe(false);
  });
});
