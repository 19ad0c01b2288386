import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../../src/errors.ts";
import { PipelineRun } from "../kit/pipeline-run.ts";
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
const saved = () => JSON.parse(readFileSync(join(run.folder, "state/logs/checkpoint.json"), "utf8").split("\n")[1]!);

test("lines go to stdout as written, and records between them, whole", async () => {
  write("a.log", "one\n");
  await run.start(run.entry(["*.log"]));
  await until(() => run.stdout.text === "one\n");
  for (let i = 0; i < 200; i++) {
    append("a.log", `file ${i}\n`);
    run.rings.access.append(`access ${i}`);
    run.rings.schedule.append(`schedule ${i}`);
    run.pipeline.wake();
    if (i % 20 === 0) await Bun.sleep(10);
  }
  await until(() => run.stdout.text.split("\n").length === 602);
  const lines = run.stdout.text.split("\n");
  for (const kind of ["file", "access", "schedule"]) {
    const numbers = lines.filter((line) => line.startsWith(`${kind} `)).map((line) => Number(line.split(" ")[1]));
    expect(numbers).toEqual(Array.from({ length: 200 }, (_, i) => i));
  }
});

test("without entries, records alone are written", async () => {
  await run.start();
  run.rings.access.append("only");
  run.pipeline.wake();
  await until(() => run.stdout.text === "only\n");
});

test("records of several threads are all written, each thread's in order, none waiting for another's", async () => {
  await run.start();
  const rings = [run.rings.access, ...run.otherRings];
  const filler = "x".repeat(1000);
  for (let i = 0; i < 400; i++) {
    for (const [thread, ring] of rings.entries()) await until(() => ring.append(`${thread} ${i} ${filler}`));
    run.pipeline.wake();
  }
  await until(() => run.stdout.text.split("\n").length === 1201);
  const lines = run.stdout.text.split("\n").slice(0, -1);
  for (const thread of rings.keys()) {
    const numbers = lines.filter((line) => line.startsWith(`${thread} `)).map((line) => Number(line.split(" ")[1]));
    expect(numbers).toEqual(Array.from({ length: 400 }, (_, i) => i));
  }
});

describe("a stalled stdout", () => {
  test("stops the reading at a known amount of memory; nothing is acknowledged, nothing is lost", async () => {
    const line = `${"x".repeat(999)}\n`;
    write("a.log", line.repeat(20_000));
    run.stdout.stall();
    await run.start(run.entry(["*.log"]));
    const read = () => run.pipeline.state()[0]?.outputs.stdout?.readBytes ?? 0;
    await until(() => read() >= 2_000_000);
    await Bun.sleep(50);
    // A batch under way and the next one.
    expect(read()).toBeLessThan(3_500_000);
    expect(run.pipeline.state()[0]?.outputs.stdout?.acknowledgedBytes).toBe(0);
    run.stdout.resume();
    await until(() => run.stdout.text.length === 20_000_000);
    await until(() => run.pipeline.state()[0]?.outputs.stdout?.acknowledgedBytes === 20_000_000);
  });

  test("drain gives up at its deadline and says what is left; the next start begins there", async () => {
    write("a.log", "one\n");
    await run.start(run.entry(["*.log"]));
    await until(() => run.stdout.text === "one\n");
    run.stdout.stall();
    append("a.log", "two\n");
    const start = performance.now();
    expect(await run.pipeline.drain(600)).toEqual({ unreadBytes: 0, unsentBytes: 4 });
    expect(performance.now() - start).toBeGreaterThan(400);
    await run.pipeline.stop();
    expect(saved().files[0].outputs.stdout.at).toBe(4);
    run.stdout.text = "";
    run.stdout.resume();
    await Bun.sleep(1);
    run.stdout.text = "";
    await run.start(run.entry(["*.log"]));
    await until(() => run.stdout.text === "two\n");
  });
});

describe("drain", () => {
  test("reads to the end while the app still writes, then ends by itself soon after", async () => {
    write("a.log", "0\n");
    await run.start(run.entry(["*.log"]));
    let written = 1;
    const writer = setInterval(() => append("a.log", `${written++}\n`), 20);
    const ended = Bun.sleep(400).then(() => {
      clearInterval(writer);
      append("a.log", "last");
    });
    const left = await run.pipeline.drain(10_000);
    await ended;
    expect(left).toEqual({ unreadBytes: 0, unsentBytes: 0 });
    expect(run.stdout.text).toBe(`${Array.from({ length: written }, (_, i) => `${i}\n`).join("")}last\n`);
    // The unfinished line was shown, but may yet be finished.
    expect(saved().files[0].outputs.stdout).toMatchObject({ shown: saved().files[0].size });
    expect(saved().files[0].outputs.stdout.at).toBe(saved().files[0].size - 4);
  });

  test("asked a second time ends at once, the checkpoint written", async () => {
    write("a.log", "one\n");
    run.stdout.stall();
    await run.start(run.entry(["*.log"]));
    const first = run.pipeline.drain(30_000);
    await Bun.sleep(50);
    const start = performance.now();
    expect(await run.pipeline.drain(30_000)).toEqual({ unreadBytes: 0, unsentBytes: 4 });
    await first;
    // Far less than the first was given, and enough for a busy machine.
    expect(performance.now() - start).toBeLessThan(5_000);
    expect(saved().files[0].outputs.stdout.at).toBe(0);
  });

  test("a rotated file that no look has seen yet is drained too", async () => {
    write("a.log", "1\n");
    await run.start(run.entry(["a.log"]));
    await until(() => run.stdout.text === "1\n");
    append("a.log", "2\n");
    renameSync(run.path("a.log"), run.path("a.log.1"));
    write("a.log", "3\n");
    expect(await run.pipeline.drain(5_000)).toEqual({ unreadBytes: 0, unsentBytes: 0 });
    expect(run.stdout.text).toBe("1\n2\n3\n");
  });
});

describe("reload", () => {
  test("files both have go on where they were, with lines under way; new ones begin; left out ones end", async () => {
    write("a.log", "a1\n");
    write("b.log", "b1\n");
    await run.start(run.entry(["a.log", "b.log"]));
    await until(() => run.stdout.text.length === 6);
    run.stdout.stall();
    append("a.log", "a2\n");
    await until(() => run.pipeline.state().some(({ outputs }) => outputs.stdout?.readBytes === 6));
    await run.pipeline.reload([run.entry(["a.log", "c.log"])]);
    append("a.log", "a3\n");
    append("b.log", "b2\n");
    write("c.log", "c1\n");
    run.stdout.resume();
    await until(() => run.stdout.text.length === 15);
    expect(run.stdout.text.split("\n").filter(Boolean).sort()).toEqual(["a1", "a2", "a3", "b1", "c1"]);
    await run.pipeline.reload([run.entry(["a.log", "b.log", "c.log"])]);
    await until(() => run.stdout.text.endsWith("b2\n"));
    await until(() => run.pipeline.state().length === 3);
  });

  test("that cannot be made keeps the old entries", async () => {
    write("a.log", "a1\n");
    await run.start(run.entry(["a.log"]));
    const wrong = run.entry(["b.log"], ["nowhere"]);
    await expect(run.pipeline.reload([wrong])).rejects.toThrow(new UserError("logs: there is no output nowhere", 1));
    append("a.log", "a2\n");
    await until(() => run.stdout.text === "a1\na2\n");
  });

  test("an output that fails does not hold up the others", async () => {
    let fails = true;
    const got: string[] = [];
    run.other = {
      async deliver({ blocks }) {
        if (fails) return { outcome: "retry", reason: "down", afterMs: 5 };
        got.push(...blocks.map(({ bytes }) => Buffer.from(bytes).toString()));
        return { outcome: "delivered" };
      },
    };
    write("a.log", "one\n");
    await run.start(run.entry(["*.log"], ["stdout", "other"]));
    append("a.log", "two\n");
    await until(() => run.stdout.text === "one\ntwo\n");
    expect(got).toEqual([]);
    fails = false;
    await until(() => got.join("") === "one\ntwo\n");
    expect(run.events.map(({ event }) => event)).toEqual(["log_output_failing", "log_output_recovered"]);
  });
});

test("a second pipeline on the same state is refused, with the name of the first", async () => {
  await run.start(run.entry(["*.log"]));
  const second = new PipelineRun();
  mkdirSync(join(second.folder, "state"));
  const failed = run.start(run.entry(["*.log"]));
  await expect(failed).rejects.toThrow(/another outrigger \(process \d+\) keeps its positions/);
  await failed.catch(() => undefined);
  await second.start();
  await second.remove();
});
