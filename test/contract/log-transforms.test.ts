/** What every log transform must keep, whatever it does: runs over the registry, so a new file is tested before it has a test. */
import { describe, expect, test } from "bun:test";
import type { JoinTransform, LogRecord, LogTransform, LogTransformDefinition } from "../../src/contracts.ts";
import { LineRecord } from "../../src/logs/shaping/record.ts";
import { MetricsRegion, spineMetrics } from "../../src/metrics.ts";
import { logTransforms } from "../../src/registry.gen.ts";

/** Options to try. A transform without a row here fails its suite. */
const options: Readonly<Record<string, readonly unknown[]>> = {
  join: ["java", "python", "go", "node", "ruby", { start: "^\\S" }, { continue: "^\\s" }],
  parse: ["json", "logfmt", "nginx", "apache", "klog", "syslog", { regex: "(?<a>.)" }],
  unwrap: ["cri", "docker"],
  keep: [{ where: { level: "info" } }],
  drop: [{ where: { level: "info" } }],
  sample: [0.5],
  redact: [{ secrets: true }, { fields: ["a"] }],
  add: [{ a: "b" }],
  remove: [["a"]],
  rename: [{ a: "b" }],
};

/** Those whose keys are names of fields. */
const takesAnyKey = new Set(["add"]);

const lines = [
  "",
  " ",
  "a",
  "a.Error: x",
  "\tat b",
  "Traceback (most recent call last):",
  '  File "a"',
  "ValueError: no",
  "{",
  "{}",
  "panic: x",
  "goroutine 1 [running]:",
  "2026-11-26T10:00:00Z stdout P x",
  "2026-11-26T10:00:00Z stderr F y",
  "\ufffd\u0000",
  '{"log":"x","stream":"stdout","time":"2026-11-26T10:00:00Z"}',
  "a=1",
  "x".repeat(100_000),
  "{".repeat(70_000),
];

const source = { id: "1", input: "app", path: "/app.log", fields: {} };

function records(): LineRecord[] {
  const memory = Buffer.from(`${lines.join("\n")}\n`);
  let at = 0;
  return lines.map((line) => {
    const start = at;
    at += Buffer.byteLength(line) + 1;
    return new LineRecord(source, start, memory, start, at - 1);
  });
}

/** Bytes of the source they stand for. */
function sum(all: readonly LogRecord[]): number {
  return all.reduce((total, record) => total + LineRecord.of(record).span, 0);
}

function spoil(record: LogRecord): void {
  record.text = "spoilt";
}

async function made(definition: LogTransformDefinition, given: unknown): Promise<LogTransform> {
  return definition.create(definition.config.parse(given), {
    clock: { now: () => 0, wall: () => Date.UTC(2026, 10, 26) },
    random: () => 0.5,
    emit: () => {},
    metrics: new MetricsRegion({ ...spineMetrics, ...definition.metrics }, { strict: true }),
    record: () => true,
    input: "app",
    transform: definition.name,
  });
}

for (const [name, load] of Object.entries(logTransforms)) {
  describe(`log transform ${name}`, () => {
    test("is called what its file is called, and says what it does", async () => {
      const { default: definition } = await load();
      expect(definition).toMatchObject({ kind: "log-transform", name });
      expect(definition.doc).toMatch(/^[A-Z].*\.$/s);
    });

    test("refuses options it does not know", async () => {
      const { default: definition } = await load();
      const wrong = takesAnyKey.has(name) ? 1 : { certainlyNotAnOption: 1 };
      expect(definition.config.safeParse(wrong).success).toBe(false);
    });

    test("has options to be tried with", () => expect(options[name]).toBeDefined());

    for (const given of options[name] ?? []) {
      test(`${JSON.stringify(given)}: no record makes it fail, and none comes out twice or from nowhere`, async () => {
        const { default: definition } = await load();
        const transform = await made(definition, given);
        expect(definition.explain?.(definition.config.parse(given)) ?? definition.doc).toMatch(/\.$/);
        const all = records();
        const bytes = sum(all);
        const out: LogRecord[] = [];
        if ("apply" in transform) out.push(...all.filter((record) => transform.apply(record)));
        else {
          const state = transform.start();
          for (const record of all) transform.take(state, record, (one) => void out.push(one));
          transform.settle?.(state, (one) => void out.push(one));
          transform.flush(state, (one) => void out.push(one));
          expect(transform.waiting(state)).toEqual([]);
          expect(sum(out)).toBe(bytes);
        }
        expect(new Set(out).size).toBe(out.length);
        expect(new Set(out.map(({ offset }) => offset)).size).toBe(out.length);
      });

      test(`${JSON.stringify(given)}: a copy of what waits is independent`, async () => {
        const transform = await made((await load()).default, given);
        if (!("take" in transform)) return;
        for (let count = 1; count <= lines.length; count++) expectIndependent(transform, records().slice(0, count));
      });
    }
  });
}

/** What comes out of a state is the same whether a copy of it went another way meanwhile or not. */
function expectIndependent(transform: JoinTransform, given: readonly LineRecord[]): void {
  const flushed = (disturbed: boolean) => {
    const out: string[] = [];
    const state = transform.start();
    for (const record of given) transform.take(state, record.clone(), () => {});
    if (disturbed) {
      const copy = transform.copy(state);
      for (const record of records()) transform.take(copy, record, spoil);
      transform.flush(copy, spoil);
    }
    transform.flush(state, (one) => void out.push(one.text));
    return out;
  };
  expect(flushed(true)).toEqual(flushed(false));
}
