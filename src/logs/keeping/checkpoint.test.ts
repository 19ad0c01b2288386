import { afterEach, beforeEach, describe, expect, test } from "bun:test";
import {
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { UserError } from "../../errors.ts";
import { MetricsRegion } from "../../metrics.ts";
import { logMetrics } from "../declarations.ts";
import { CheckpointFile, prepareFolder, writeEveryBytes } from "./checkpoint.ts";

let state: string;
let nowMs: number;
let events: { event: string; fields: Record<string, unknown> }[];

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "checkpoint-"));
  nowMs = 0;
  events = [];
});

afterEach(() => {
  rmSync(state, { recursive: true, force: true });
});

class Value {
  value: unknown;
  constructor(value: unknown) {
    this.value = value;
  }
  save(): unknown {
    return this.value;
  }
}

function open(): { file: CheckpointFile; kept: Value } {
  const file = CheckpointFile.open(prepareFolder(state), {
    clock: { now: () => nowMs, wall: () => 1_700_000_000_000 + nowMs },
    emit: (event, fields = {}) => void events.push({ event, fields }),
    metrics: new MetricsRegion(logMetrics, { strict: true }),
  });
  return { file, kept: file.section("kept", (saved) => new Value(saved)) };
}

function store(value: unknown): void {
  const { file, kept } = open();
  kept.value = value;
  expect(file.write()).toBe(true);
}

const path = (name: string) => join(state, "logs", name);
const names = () => readdirSync(join(state, "logs")).sort();

test("what was written is read again, sections nobody asked for too", () => {
  store({ a: 1 });
  const { file } = open();
  file.section("other", () => new Value("x"));
  file.write();
  expect(open().kept.value).toEqual({ a: 1 });
  expect(open().file.section("other", (saved) => new Value(saved)).value).toBe("x");
  expect(events).toEqual([]);
});

test("it is written at most once a second, at once after 8 MiB, and at once on demand", () => {
  const { file } = open();
  expect(file.waitMs()).toBe(Number.POSITIVE_INFINITY);
  file.touch(1);
  file.writeIfDue();
  file.touch(1);
  expect(file.waitMs()).toBe(1_000);
  nowMs = 400;
  file.writeIfDue();
  expect(file.waitMs()).toBe(600);
  file.touch(writeEveryBytes);
  expect(file.waitMs()).toBe(0);
  file.writeIfDue();
  expect(file.waitMs()).toBe(Number.POSITIVE_INFINITY);
  file.hasten();
  expect(file.waitMs()).toBe(0);
});

describe("a file that is not whole is set aside, and the generation before is used", () => {
  const damages: [name: string, damage: (whole: Buffer) => Uint8Array | string, problem: RegExp][] = [
    ["empty", () => "", /empty/],
    ["zeros", (whole) => Buffer.alloc(whole.length), /first line/],
    ["half written", (whole) => whole.subarray(0, whole.length - 5), /should have/],
    ["garbage", () => "not a checkpoint\n{}\n", /first line/],
    ["one bit turned", (whole) => flipped(whole, whole.length - 4), /checksum/],
    ["of a later version", (whole) => whole.toString().replace('"v":1', '"v":2'), /version 2/],
  ];
  test.each(damages)("%s", (_, damage, problem) => {
    store("first");
    store("second");
    writeFileSync(path("checkpoint.json"), damage(readFileSync(path("checkpoint.json"))));
    expect(open().kept.value).toBe("first");
    expect(events.map(({ event }) => event)).toEqual(["log_checkpoint_corrupt"]);
    expect(events[0]!.fields.problem).toMatch(problem);
    expect(events[0]!.fields.instead).toBe("generation 1 is used");
    expect(names()).toEqual(["checkpoint.json.corrupt-1700000000000", "checkpoint.prev.json"]);
    store("third");
    expect(open().kept.value).toBe("third");
  });

  function flipped(whole: Buffer, at: number): Buffer {
    const bytes = Buffer.from(whole);
    bytes[at]! ^= 1;
    return bytes;
  }
});

test("both damaged: nothing is known, and that is said", () => {
  store("first");
  store("second");
  writeFileSync(path("checkpoint.json"), "x");
  writeFileSync(path("checkpoint.prev.json"), "y");
  expect(open().kept.value).toBeUndefined();
  expect(events.map(({ fields }) => fields.instead)).toEqual(
    Array(2).fill("files are read from where their entry says"),
  );
});

describe("killed", () => {
  test("in the middle of writing: the half file is no problem", () => {
    store("first");
    writeFileSync(path("checkpoint.tmp"), '{"v":1,"generation":2,"byt');
    expect(open().kept.value).toBe("first");
    expect(events).toEqual([]);
    expect(names()).toEqual(["checkpoint.json"]);
  });

  test("between the two renames: the finished file is the newest", () => {
    store("first");
    copyFileSync(path("checkpoint.json"), path("kept"));
    store("second");
    renameSync(path("checkpoint.json"), path("checkpoint.tmp"));
    expect(open().kept.value).toBe("second");
    expect(names()).toEqual(["checkpoint.json", "checkpoint.prev.json", "kept"]);
  });

  test("before the first rename: the finished file is the newest", () => {
    store("first");
    copyFileSync(path("checkpoint.json"), path("kept"));
    store("second");
    renameSync(path("checkpoint.json"), path("checkpoint.tmp"));
    renameSync(path("kept"), path("checkpoint.json"));
    expect(open().kept.value).toBe("second");
    expect(readFileSync(path("checkpoint.prev.json"), "utf8")).toContain("first");
  });
});

test("a disk that takes nothing: positions stay in memory, it is said once, and written later", () => {
  const { file, kept } = open();
  kept.value = "kept";
  // A folder where the temporary file should be refuses every write, even those of root.
  mkdirSync(path("checkpoint.tmp"));
  for (let i = 0; i < 3; i++) {
    file.touch(1);
    nowMs += 10_000;
    file.writeIfDue();
  }
  expect(events.map(({ event }) => event)).toEqual(["log_checkpoint_failed"]);
  rmSync(path("checkpoint.tmp"), { recursive: true });
  nowMs += 10_000;
  file.writeIfDue();
  expect(events.map(({ event }) => event)).toEqual(["log_checkpoint_failed", "log_checkpoint_written_again"]);
  expect(open().kept.value).toBe("kept");
});

test("a folder that cannot be made is the user's to mend", () => {
  writeFileSync(join(state, "file"), "");
  expect(() => prepareFolder(join(state, "file"))).toThrow(UserError);
  expect(() => prepareFolder(join(state, "file"))).toThrow(/file\/logs: positions of log files cannot be kept here/);
});
