import { describe, expect, test } from "bun:test";
import { mistake, parsed, record, TransformRun } from "../../test/kit/transform-run.ts";
import drop from "./drop.ts";
import keep from "./keep.ts";
import sample from "./sample.ts";

const line = parsed(
  '{"level":"debug","status":503,"path":"/health/live","user":{"id":7},"ok":true,"none":null,"n":"12"}',
);

describe("drop", () => {
  test.each([
    [{ where: { level: "debug" } }, true],
    [{ where: { level: "info" } }, false],
    [{ where: { level: ["info", "debug"] } }, true],
    [{ where: { status: 503 } }, true],
    [{ where: { status: "503" } }, true],
    [{ where: { ok: true, none: null } }, true],
    [{ where: { level: "debug", status: 200 } }, false],
    [{ where: { status: { atLeast: 500, below: 600 } } }, true],
    [{ where: { status: { below: 503 } } }, false],
    [{ where: { n: { atLeast: 12 } } }, true],
    [{ where: { path: { atLeast: 0 } } }, false],
    [{ where: { path: { matches: "^/health" } } }, true],
    [{ where: { "user.id": 7 } }, true],
    [{ where: { user: { equals: 7 } } }, false],
    [{ where: { missing: { exists: false } } }, true],
    [{ where: { missing: { matches: "." } } }, false],
    [{ where: { none: { exists: true } } }, true],
    [{ text: '"status":5\\d\\d' }, true],
    ["live", true],
    [{ text: "live", where: { level: "info" } }, false],
  ])("with %p leaves the record out: %p", async (options, isDropped) => {
    expect((await TransformRun.make(drop, options)).keeps(line)).toBe(!isDropped);
    expect((await TransformRun.make(keep, options)).keeps(line)).toBe(isDropped);
  });

  test("and keep go by severity; a record of which it is not known is kept by both", async () => {
    const kept = async (transform: typeof drop, options: unknown) => {
      const run = await TransformRun.make(transform, options);
      const all = [...(["trace", "debug", "info", "warn", "error", "fatal"] as const), undefined];
      const severities = all.map((severity) => record("x", severity === undefined ? {} : { severity }));
      return severities.filter((one) => run.keeps(one)).map(({ severity }) => severity);
    };
    expect(await kept(drop, { severity: { below: "info" } })).toEqual(["info", "warn", "error", "fatal", undefined]);
    expect(await kept(keep, { severity: "warn" })).toEqual(["warn", "error", "fatal", undefined]);
    expect(await kept(keep, { severity: { atLeast: "debug", below: "warn" } })).toEqual(["debug", "info", undefined]);
  });

  test("takes a record that nothing parsed for one without fields", async () => {
    expect((await TransformRun.make(drop, { where: { level: "debug" } })).keeps(record("level=debug"))).toBe(true);
    expect((await TransformRun.make(drop, { where: { level: { exists: false } } })).keeps(record("x"))).toBe(false);
  });

  test("looks at no more than 64 KiB of a text", async () => {
    const run = await TransformRun.make(drop, { text: "end$" });
    expect(run.keeps(record(`${"x".repeat(70_000)}end`))).toBe(true);
    expect(run.keeps(record("the end"))).toBe(false);
  });

  test("says what is wrong with its options", () => {
    expect(mistake(drop, {})).toContain("nothing says which records are meant");
    expect(mistake(drop, { text: "[" })).toContain("is not a regular expression");
    expect(mistake(drop, { where: { a: { macthes: "x" } } })).not.toBe("");
    expect(mistake(drop, { severity: "notice" })).not.toBe("");
  });
});

describe("sample", () => {
  const records = Array.from({ length: 20_000 }, (_, at) =>
    record("x", { offset: at * 137, fields: { trace: `t${at >> 2}` } }),
  );
  const kept = (run: TransformRun) => records.filter((one) => run.keeps(one));

  test.each([
    [{ rate: 0.25 }, 0.25],
    [0.5, 0.5],
    [{ oneOf: 10 }, 0.1],
    [{ rate: 0 }, 0],
    [{ rate: 1 }, 1],
  ])("%p keeps that share", async (options, share) => {
    const count = kept(await TransformRun.make(sample, options)).length;
    // Five standard deviations.
    const slack = 5 * Math.sqrt(records.length * share * (1 - share));
    expect(Math.abs(count - records.length * share)).toBeLessThanOrEqual(slack);
  });

  test("chooses the same records again: for every output, after every restart", async () => {
    const offsets = async () => kept(await TransformRun.make(sample, { rate: 0.1 })).map(({ offset }) => offset);
    expect(await offsets()).toEqual(await offsets());
  });

  test("chooses others in another file", async () => {
    const run = await TransformRun.make(sample, { oneOf: 2 });
    const here = Array.from({ length: 64 }, (_, at) => run.keeps(record("x", { offset: at * 10 })));
    const there = Array.from({ length: 64 }, (_, at) => run.keeps(record("x", { offset: at * 10, id: "other" })));
    expect(here).not.toEqual(there);
  });

  test("keeps or drops together what has the same value in a field", async () => {
    const traces = new Map<unknown, number>();
    for (const one of kept(await TransformRun.make(sample, { rate: 0.5, by: "trace" }))) {
      traces.set(one.fields?.trace, (traces.get(one.fields?.trace) ?? 0) + 1);
    }
    expect(traces.size).toBeGreaterThan(2_000);
    expect(new Set(traces.values())).toEqual(new Set([4]));
  });

  test("spares what the conditions hold for, and what has no severity only by chance", async () => {
    const run = await TransformRun.make(sample, { rate: 0, unless: { severity: { atLeast: "warn" } } });
    expect(run.keeps(record("x", { severity: "error" }))).toBe(true);
    expect(run.keeps(record("x", { severity: "info" }))).toBe(false);
    expect(run.keeps(record("x"))).toBe(false);
  });

  test("says what is wrong with its options", () => {
    expect(mistake(sample, {})).toContain("there must be one of rate and oneOf");
    expect(mistake(sample, { rate: 0.1, oneOf: 10 })).toContain("there must be one of rate and oneOf");
    expect(mistake(sample, { rate: 10 })).not.toBe("");
  });
});
