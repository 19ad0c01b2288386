/** Transforms between files and outputs: in the pipeline, on real files. */
import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import { appendFileSync, existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { LogOutput } from "../../src/contracts.ts";
import files from "../../src/log-inputs/files.ts";
import type { LogEntry } from "../../src/logs/routes.ts";
import { Tail } from "../../src/logs/tail.ts";
import { logTransforms } from "../../src/registry.gen.ts";
import { PipelineRun } from "../kit/pipeline-run.ts";
import { until } from "../kit/until.ts";

let run: PipelineRun;

beforeEach(() => {
  run = new PipelineRun();
});

afterEach(() => run.remove());

const write = (name: string, text: string) => writeFileSync(run.path(name), text);
const append = (name: string, text: string) => appendFileSync(run.path(name), text);

type Transforms = NonNullable<LogEntry["transforms"]>;

/** Transforms as a configuration has them: `{ join: "java" }`. */
async function transforms(...items: Record<string, unknown>[]): Promise<Transforms> {
  return Promise.all(
    items.map(async (item) => {
      const [[name, options]] = Object.entries(item) as [[string, unknown]];
      const { default: definition } = await logTransforms[name]!();
      if (definition.metrics !== undefined) run.metrics.declare(definition.metrics);
      return { name, use: name, options: definition.config.parse(options) };
    }),
  );
}

function saved(): { files: { outputs: Record<string, { at: number }> }[] } {
  return JSON.parse(readFileSync(join(run.folder, "state/logs/checkpoint.json"), "utf8").split("\n")[1]!);
}

function counted(metric: string): Record<string, number> {
  const series = run.metrics.series.filter(({ name }) => name === metric);
  return Object.fromEntries(
    series.map(({ labels, slot }) => [labels.map(([, value]) => value).join(" "), run.metrics.values[slot]!]),
  );
}

/** An output that keeps the texts of records. */
function recording(texts: string[]): LogOutput {
  return {
    async deliver({ blocks }) {
      texts.push(...blocks.flatMap(({ records = [] }) => records.map(({ text }) => text)));
      return { outcome: "delivered" };
    },
  };
}

const trace = "a.Error: x\n\tat a.B.c(B.java:1)\n";
const record = trace.trimEnd();

test("lines of JSON come out with their fields; other lines as they are, and are counted", async () => {
  write("a.log", '{"n": 1,   "level":"info"}\nplain\n');
  await run.start(run.entry(["a.log"], ["stdout"], "files", await transforms({ parse: "json" })));
  await until(() => run.stdout.text !== "");
  append("a.log", '{"n":2}\n');
  await until(() => run.stdout.text.includes("2"));
  expect(run.stdout.text).toBe('{"n":1,"level":"info"}\nplain\n{"n":2}\n');
  expect(counted("outrigger_log_unparsed_records_total")).toEqual({ "files parse": 1 });
  expect(await run.pipeline.drain(5_000)).toEqual({ unreadBytes: 0, unsentBytes: 0 });
  expect(saved().files[0]!.outputs.stdout!.at).toBe(readFileSync(run.path("a.log")).length);
});

test("what was redacted is in no output, no dead letter, no live tail and no event, joined lines and those nothing parsed too", async () => {
  const taken: string[] = [];
  run.other = {
    async deliver({ blocks }) {
      for (const { records = [] } of blocks)
        taken.push(...records.map((one) => JSON.stringify([one.text, one.fields])));
      return { outcome: "refused", reason: "never" };
    },
  };
  const lines = [
    '{"password":["hunter2"],"n":1}\n',
    '{"p\\u0061ssword":{"a":"hunter2"}, "n":2}\n',
    '{"inner":"{\\"token\\":\\"x\\\\\\"hunter2\\"}","n":3}\n',
    "failed: postgres://app:hunter2@db\n  Cookie: sid=hunter2; a=b\n  secret = hunter2\n",
  ];
  const items = await transforms({ join: { continue: "^ ", quiet: "50ms" } }, { parse: "json" }, { redact: {} });
  await run.start(run.entry(["a.log"], ["stdout", "other"], "files", items));
  const tail = new Tail({ format: "json" }, () => {});
  run.pipeline.taps.open(1, tail.filter, tail.memory);
  write("a.log", lines.join(""));
  const letters = join(run.folder, "state/logs/dead-letters/other.ndjson");
  await until(() => existsSync(letters) && readFileSync(letters, "utf8").split("\n").length > lines.length);
  await until(() => run.stdout.text.split("\n").length > lines.length);
  const shown = Buffer.from((await tail.next())!).toString();
  for (const place of [taken.join("\n"), run.stdout.text, readFileSync(letters, "utf8"), shown]) {
    expect(place.match(/\[redacted\]/g)?.length).toBeGreaterThanOrEqual(6);
    expect(place).not.toContain("hunter2");
  }
  expect(JSON.stringify(run.events)).not.toContain("hunter2");
});

describe("a stack trace", () => {
  async function start(quiet = "1s", outputs = ["stdout"]): Promise<void> {
    const items = await transforms({ join: { traces: "java", quiet } });
    await run.start(run.entry(["*.log"], outputs, "files", items));
  }

  test("that is written in pieces comes out as one record, when nothing follows for a while", async () => {
    const texts: string[] = [];
    run.other = recording(texts);
    write("a.log", "before\na.Error: x\n");
    await start("3s", ["other"]);
    await until(() => texts.length === 1);
    append("a.log", "\tat a.B.c(B.java:1)\n");
    await Bun.sleep(300);
    append("a.log", "\tat a.B.d(B.java:2)\n");
    await until(() => texts.length === 2);
    expect(texts).toEqual(["before", "a.Error: x\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.java:2)"]);
  });

  test("that waits is not done with: after a kill it is read again, and whole", async () => {
    const texts: string[] = [];
    run.other = recording(texts);
    write("a.log", "before\na.Error: x\n");
    await start("1m", ["other"]);
    await until(() => texts.length === 1);
    await until(() => run.pipeline.state()[0]?.outputs.other?.acknowledgedBytes === 7);
    // As a kill leaves it: nothing is drained.
    await run.pipeline.stop();
    expect(saved().files[0]!.outputs.other!.at).toBe(7);
    append("a.log", "\tat a.B.c(B.java:1)\nafter\n");
    await start("1m", ["other"]);
    await until(() => texts.length === 3);
    expect(texts).toEqual(["before", record, "after"]);
  });

  test("that waits in a file that is not UTF-8 is read again from where it begins there", async () => {
    const texts: string[] = [];
    run.other = recording(texts);
    const wide = (text: string) => Buffer.from(text, "utf16le");
    const entry = {
      ...run.entry([], ["other"], "files", await transforms({ join: { traces: "java", quiet: "1m" } })),
      input: { use: "files", options: files.config.parse({ paths: ["*.log"], encoding: "utf-16le" }) },
    };
    writeFileSync(run.path("a.log"), wide("größer\na.Error: x\n"));
    await run.start(entry);
    await until(() => run.pipeline.state()[0]?.outputs.other?.acknowledgedBytes === 14);
    await run.pipeline.stop();
    appendFileSync(run.path("a.log"), wide("\tat a.B.c(B.java:1)\nafter\n"));
    await run.start(entry);
    await until(() => texts.length === 3);
    expect(texts).toEqual(["größer", record, "after"]);
  });

  test("that waits comes out at once when the collector drains", async () => {
    const texts: string[] = [];
    run.other = recording(texts);
    write("a.log", trace);
    await start("1m", ["other"]);
    await until(() => run.pipeline.state()[0]?.outputs.other?.readBytes === trace.length);
    expect(texts).toEqual([]);
    expect(await run.pipeline.drain(10_000)).toEqual({ unreadBytes: 0, unsentBytes: 0 });
    expect(texts).toEqual([record]);
    expect(saved().files[0]!.outputs.other!.at).toBe(trace.length);
  });

  test("whose last line has no newline is whole when the collector drains", async () => {
    const texts: string[] = [];
    run.other = recording(texts);
    write("a.log", trace.trimEnd());
    await start("1m", ["other"]);
    await until(() => run.pipeline.state().length === 1);
    await run.pipeline.drain(10_000);
    expect(texts).toEqual([record]);
  });

  test("that waits survives a reload that changes the entry", async () => {
    const texts: string[] = [];
    run.other = recording(texts);
    write("a.log", trace);
    await start("1m", ["other"]);
    await until(() => run.pipeline.state()[0]?.outputs.other?.readBytes === trace.length);
    await run.pipeline.reload([run.entry(["*.log"], ["other"])]);
    append("a.log", "after\n");
    await until(() => run.pipeline.state()[0]?.outputs.other?.acknowledgedBytes === trace.length + 6);
    expect(texts).toEqual([record]);
  });

  test("at the end of a rotated file comes before the first lines of the next", async () => {
    const texts: string[] = [];
    run.other = recording(texts);
    write("a.log", `first\n${trace}`);
    await start("1m", ["other"]);
    await until(() => texts.length === 1);
    renameSync(run.path("a.log"), run.path("a.log.1"));
    write("a.log", "next\n");
    await until(() => texts.length === 3);
    expect(texts).toEqual(["first", record, "next"]);
  });

  test("comes out whole for each of two outputs, one of which is behind; the work is done once while they are level", async () => {
    const texts: string[] = [];
    let open = false;
    const other = recording(texts);
    run.other = {
      deliver: async (batch) => (open ? other.deliver(batch) : { outcome: "retry", reason: "down", afterMs: 5 }),
    };
    write("a.log", `1\n${trace}2\na.Error: x\n`);
    await start("1m", ["stdout", "other"]);
    await until(() => run.stdout.text === `1\n${trace}2\n`);
    append("a.log", "\tat a.B.c(B.java:1)\n3\n");
    await until(() => run.stdout.text.endsWith("3\n"));
    open = true;
    await until(() => texts.length === 5);
    expect(texts).toEqual(["1", record, "2", record, "3"]);
    expect(run.stdout.text).toBe(`1\n${trace}2\n${trace}3\n`);
  });
});

test("a reload that changes only a regular expression takes effect", async () => {
  write("a.log", "a=1\n");
  const entry = async (regex: string) =>
    run.entry(["*.log"], ["stdout"], "files", await transforms({ parse: { regex } }));
  await run.start(await entry("a=(?<a>.)"));
  await until(() => run.stdout.text !== "");
  await run.pipeline.reload([await entry("b=(?<b>.)")]);
  append("a.log", "b=2\n");
  await until(() => run.stdout.text.includes("2"));
  expect(run.stdout.text).toBe('{"a":"1"}\n{"b":"2"}\n');
});
