/** Delivery in the whole pipeline: what an output's trouble means for files, other outputs, reloads and the checkpoint. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Batch, Delivery } from "../../src/contracts.ts";
import joinLines from "../../src/log-transforms/join.ts";
import parse from "../../src/log-transforms/parse.ts";
import type { LogEntry } from "../../src/logs/routes.ts";
import { PipelineRun } from "../kit/pipeline-run.ts";
import { linesIn } from "../kit/queue-run.ts";
import { seeded, seedOf } from "../kit/random.ts";
import { until } from "../kit/until.ts";

let run: PipelineRun;

beforeEach(() => {
  run = new PipelineRun();
});

afterEach(async () => {
  await run.remove();
});

const write = (name: string, text: string) => writeFileSync(run.path(name), text);
const append = (name: string, text: string) => appendFileSync(run.path(name), text);
const down: Delivery = { outcome: "retry", reason: "down", cause: "unreachable", afterMs: 5 };

type Wanted = LogEntry["outputs"][number];

/** An entry whose outputs are given in full. */
function entryTo(paths: string[], ...outputs: Partial<Wanted>[]): LogEntry {
  const full = outputs.map((one): Wanted => ({ name: "other", use: "other", options: {}, ...one }));
  return { ...run.entry(paths), outputs: full };
}

/** The output `other` that keeps lines, unless it is down. */
function keeping() {
  const kept = { isDown: false, lines: [] as string[] };
  const deliver = async (batch: Batch): Promise<Delivery> => {
    if (kept.isDown) return down;
    kept.lines.push(...linesIn(batch));
    return { outcome: "delivered" };
  };
  run.other = { deliver };
  return kept;
}

function count(metric: string, labels: Record<string, string> = {}): number {
  const isWanted = (found: readonly (readonly [string, string])[]) =>
    Object.entries(labels).every(([key, value]) => Object.fromEntries(found)[key] === value);
  const series = run.metrics.series.filter((one) => one.name === metric && isWanted(one.labels));
  return series.reduce((sum, { slot }) => sum + run.metrics.values[slot]!, 0);
}

describe("a reload that gives an output other options", () => {
  test("goes on with what the old one could not deliver, before all that came later", async () => {
    const kept = keeping();
    kept.isDown = true;
    write("a.log", "1\n2\n");
    await run.start(entryTo(["*.log"], { options: { url: "wrong" } }));
    await until(() => run.events.some(({ event }) => event === "log_output_failing"));
    append("a.log", "3\n");
    await until(() => run.pipeline.state()[0]?.outputs.other?.readBytes === 6);
    const old = run.otherSignal!;
    kept.isDown = false;
    await run.pipeline.reload([entryTo(["*.log"], { options: { url: "right" } })]);
    append("a.log", "4\n");
    await until(() => kept.lines.length >= 4);
    expect(kept.lines).toEqual(["1", "2", "3", "4"]);
    expect(old.aborted).toBe(true);
    await until(() => run.pipeline.state()[0]?.outputs.other?.acknowledgedBytes === 8);
    expect(count("outrigger_log_acknowledged_bytes_total", { output: "other" })).toBe(8);
    expect(count("outrigger_log_ledger_imbalance_bytes")).toBe(0);
    expect(count("outrigger_log_waiting_bytes")).toBe(0);
  });

  test("twice at once loses nothing either", async () => {
    const kept = keeping();
    kept.isDown = true;
    write("a.log", "1\n2\n");
    await run.start(entryTo(["*.log"], { options: 1 }));
    await until(() => run.events.some(({ event }) => event === "log_output_failing"));
    await Promise.all([2, 3, 4].map((options) => run.pipeline.reload([entryTo(["*.log"], { options })])));
    append("a.log", "3\n");
    await Bun.sleep(50);
    kept.isDown = false;
    await until(() => kept.lines.length >= 3);
    expect(kept.lines).toEqual(["1", "2", "3"]);
    expect(count("outrigger_log_ledger_imbalance_bytes")).toBe(0);
  });

  test("and the same policies keeps the output that is there", async () => {
    keeping();
    const policy = { batch: { ageMs: 10 } };
    write("a.log", "1\n");
    await run.start(entryTo(["*.log"], { policy }));
    const first = run.otherSignal;
    await run.pipeline.reload([entryTo(["*.log"], { policy }), run.entry(["*.txt"], ["stdout"], "second")]);
    expect(run.otherSignal).toBe(first!);
    await run.pipeline.reload([entryTo(["*.log"], { policy: { batch: { ageMs: 20 } } })]);
    expect(run.otherSignal).not.toBe(first!);
  });
});

test("records go to stdout as they are, also where lines that go there are batched otherwise", async () => {
  write("a.log", "1\n");
  const policy = { batch: { ageMs: 60_000 } };
  await run.start(entryTo(["*.log"], { name: "stdout", use: "stdout", policy }));
  run.rings.access.append("record");
  run.pipeline.wake();
  await until(() => run.stdout.text === "record\n");
  await run.pipeline.drain(5_000);
  expect(run.stdout.text).toBe("record\n1\n");
});

describe("dead letters", () => {
  const no: Delivery = { outcome: "refused", reason: "never" };

  test("lie in the state folder, and are there before the checkpoint says that the line is done", async () => {
    run.other = { deliver: async (batch) => (linesIn(batch).includes("bad") ? no : { outcome: "delivered" }) };
    write("a.log", "one\nbad\nthree\n");
    await run.start(entryTo(["*.log"], {}));
    await until(() => run.pipeline.state()[0]?.outputs.other?.acknowledgedBytes === 14);
    const letters = readFileSync(join(run.folder, "state/logs/dead-letters/other.ndjson"), "utf8");
    expect(JSON.parse(letters)).toMatchObject({ path: run.path("a.log"), offset: 4, line: "bad", reason: "never" });
  });

  test("go to a file of their own, or nowhere, where the configuration says so", async () => {
    run.other = { deliver: async () => no };
    write("a.log", "bad\n");
    await run.start(
      entryTo(
        ["*.log"],
        { name: "kept", policy: { deadLetters: { file: join(run.folder, "mine.ndjson") } } },
        { name: "gone", policy: { deadLetters: "off" } },
      ),
    );
    await until(() => count("outrigger_log_discarded_bytes_total", { output: "gone", cause: "refused" }) === 4);
    await until(() => existsSync(join(run.folder, "mine.ndjson")));
    expect(existsSync(join(run.folder, "state/logs/dead-letters"))).toBe(false);
  });
});

describe("the books", () => {
  const names = ["acknowledged", "dropped", "dead_lettered", "discarded"];
  const settled = (output: string) =>
    names.reduce((sum, name) => sum + count(`outrigger_log_${name}_bytes_total`, { output }), 0);

  /** Offered and settled bytes of each output, and what they differ by. */
  function expectBalance(): void {
    for (const output of ["stdout", "other"]) {
      const offered = count("outrigger_log_offered_bytes_total", { output });
      const waiting = count("outrigger_log_waiting_bytes", { output });
      expect({ output, bytes: settled(output) + waiting }).toEqual({ output, bytes: offered });
      expect(count("outrigger_log_ledger_imbalance_bytes", { output })).toBe(0);
    }
  }

  test("balance at every moment, whatever transforms leave out or join and an output does", async () => {
    const random = seeded(seedOf("books"));
    run.other = {
      async deliver(batch): Promise<Delivery> {
        if (random.chance(0.3)) return down;
        if (batch.count > 3 && random.chance(0.3)) return { outcome: "tooLarge", reason: "large" };
        if (random.chance(0.1)) return { outcome: "refused", reason: "never" };
        const some = Array.from({ length: batch.count }, (_, item) => item).filter(() => random.chance(0.2));
        if (random.chance(0.3)) return { ...down, only: some };
        return { outcome: "delivered", rejected: some.map((item) => ({ item, reason: "no" })) };
      },
    };
    const transforms = [
      { name: "join", use: "join", options: joinLines.config.parse({ start: "^[{x]", quiet: "50ms" }) },
      { name: "parse", use: "parse", options: parse.config.parse({ format: "json", onFailure: "drop" }) },
    ];
    await run.start({ ...run.entry(["*.log"], ["stdout", "other"]), transforms });
    const lines = ['{"a":1}\n', "x1\n", " more\n", '{"b":"\u00fc"}\n', "\n"];
    let written = 0;
    for (let round = 0; round < 100; round++) {
      const text = Array.from({ length: random.whole(40) }, () => random.pick(lines)).join("");
      append("a.log", text);
      written += Buffer.byteLength(text);
      await Bun.sleep(random.whole(10));
      expectBalance();
    }
    expect(await run.pipeline.drain(20_000)).toEqual({ unreadBytes: 0, unsentBytes: 0 });
    expectBalance();
    for (const output of ["stdout", "other"]) {
      expect(settled(output)).toBe(written);
      expect(count("outrigger_log_dropped_bytes_total", { output })).toBeGreaterThan(0);
    }
    expect(count("outrigger_log_dead_lettered_bytes_total", { output: "other" })).toBeGreaterThan(0);
  }, 60_000);
});

describe("an output that is down for long", () => {
  const line = `${"x".repeat(99)}\n`;

  test("holds up nobody else while files rotate and vanish, and gets every line later, in order", async () => {
    const kept = keeping();
    kept.isDown = true;
    await run.start(run.entry(["a.log"], ["stdout", "other"]));
    const written: string[] = [];
    for (let file = 0; file < 8; file++) {
      const lines = Array.from({ length: 20_000 }, (_, n) => `${file}-${n} ${line.slice(0, 90)}`);
      written.push(...lines);
      write("a.log", `${lines.join("\n")}\n`);
      await until(() => run.stdout.text.endsWith(`${lines.at(-1)}\n`));
      renameSync(run.path("a.log"), run.path(`a.log.${file}`));
      // The first ones are deleted as a rotation does that keeps few; the collector holds them open.
      if (file >= 4) rmSync(run.path(`a.log.${file - 4}`));
      await Bun.sleep(0);
    }
    expect(run.stdout.text.split("\n").slice(0, -1)).toEqual(written);
    expect(kept.lines).toEqual([]);
    const held = count("outrigger_log_held_bytes", { output: "other" });
    expect(held).toBeGreaterThan(1_000_000);
    expect(held).toBeLessThan(4_000_000);
    kept.isDown = false;
    await until(() => kept.lines.length >= written.length, { deadlineMs: 30_000 });
    expect(kept.lines).toEqual(written);
    expect(count("outrigger_log_lost_bytes_total")).toBe(0);
    expect(count("outrigger_log_ledger_imbalance_bytes")).toBe(0);
  }, 60_000);

  test("gives up the oldest of the deleted files that hold too much disk, and counts that, for itself alone", async () => {
    const kept = keeping();
    kept.isDown = true;
    const entry = run.entry(["a.log"], ["stdout", "other"]);
    const options = { ...(entry.input.options as object), hold: 1_000_000 };
    await run.start({ ...entry, input: { use: "files", options } });
    const size = 12_000_000;
    for (let file = 0; file < 3; file++) {
      write("a.log", line.replace("x", String(file)).repeat(size / line.length));
      await until(() => run.stdout.text.length === (file + 1) * size);
      rmSync(run.path("a.log"));
      await until(() =>
        run.events.some(({ event, fields }) => event === "log_bytes_lost" || fields.kind === "deleted"),
      );
    }
    await until(() => count("outrigger_log_lost_bytes_total", { reason: "held_too_long" }) > 2 * size);
    kept.isDown = false;
    await run.pipeline.drain(20_000);
    const lost = count("outrigger_log_lost_bytes_total", { reason: "held_too_long" });
    expect(kept.lines.length * line.length).toBe(3 * size - lost);
    expect(run.stdout.text.length).toBe(3 * size);
  }, 60_000);
});
