import { describe, expect, test } from "bun:test";
import { MetricsMirror, MetricsRegion, type MetricTable, type Series, spineMetrics, totalOf } from "./metrics.ts";
import { bucketBounds, readHistogram } from "./telemetry/cells.ts";

const dropped = "outrigger_metric_label_sets_dropped_total";
const table: MetricTable = {
  [dropped]: { kind: "counter", doc: "dropped" },
  hits_total: { kind: "counter", doc: "hits", labels: ["route", "class"] },
  open: { kind: "gauge", doc: "open" },
  took_seconds: { kind: "histogram", doc: "took", labels: ["route"] },
};

function valueIn(region: MetricsRegion, name: string, ...labels: string[]): number | undefined {
  const series = region.series.find((s) => s.name === name && s.labels.map((l) => l[1]).join() === labels.join());
  return series === undefined ? undefined : region.values[series.slot];
}

describe("a metrics region", () => {
  test("finds the same series again, whatever the order of the labels", () => {
    const region = new MetricsRegion(table, { strict: true });
    region.counter("hits_total", { route: "a", class: "2xx" }).add(1);
    region.counter("hits_total", { class: "2xx", route: "a" }).add(2);
    expect(valueIn(region, "hits_total", "a", "2xx")).toBe(3);
    expect(region.series).toHaveLength(1);
  });

  test("keeps label values apart that would join to the same text", () => {
    const region = new MetricsRegion(table, { strict: true });
    region.counter("hits_total", { route: 'a","b', class: "c" }).add(1);
    region.counter("hits_total", { route: "a", class: 'b","c' }).add(1);
    expect(region.series).toHaveLength(2);
  });

  test("sets and moves a gauge", () => {
    const region = new MetricsRegion(table, { strict: true });
    region.gauge("open").set(5);
    region.gauge("open").add(-2);
    expect(valueIn(region, "open")).toBe(3);
  });

  test("puts a duration into the bucket whose bound it does not exceed", () => {
    const region = new MetricsRegion(table, { strict: true });
    const took = region.histogram("took_seconds", { route: "a" });
    for (const seconds of [0.0005, 0.0006, 10, 11]) took.observe(seconds);
    const { cumulative, sum } = readHistogram(region.values, region.series[0]!.slot);
    expect(cumulative[0]).toBe(1);
    expect(cumulative[1]).toBe(2);
    expect(cumulative[bucketBounds.length - 1]).toBe(3);
    expect(cumulative[bucketBounds.length]).toBe(4);
    expect(sum).toBeCloseTo(21.0011, 10);
  });

  test("a metric that is full shares the series `other`, says so once and counts each refusal", () => {
    const full: string[] = [];
    const region = new MetricsRegion(table, { strict: true, cellsPerMetric: 3, onFull: (name) => full.push(name) });
    for (let i = 0; i < 10; i++) region.counter("hits_total", { route: `r${i}`, class: "2xx" }).add(1);
    expect(valueIn(region, "hits_total", "r2", "2xx")).toBe(1);
    expect(valueIn(region, "hits_total", "r3", "2xx")).toBeUndefined();
    expect(valueIn(region, "hits_total", "other", "other")).toBe(7);
    expect(valueIn(region, dropped)).toBe(7);
    expect(full).toEqual(["hits_total"]);
  });

  test("memory that is used up still has room for every declared metric's `other`", () => {
    const region = new MetricsRegion(table, { strict: true, cells: 40 });
    for (let i = 0; i < 100; i++) region.counter("hits_total", { route: `r${i}`, class: "2xx" }).add(1);
    region.histogram("took_seconds", { route: "a" }).observe(1);
    region.gauge("open").set(7);
    const other = region.series.find((s) => s.name === "took_seconds");
    expect(other?.labels).toEqual([["route", "other"]]);
    expect(readHistogram(region.values, other!.slot).sum).toBe(1);
    expect(valueIn(region, "open")).toBe(7);
    expect(Math.max(...region.series.map((s) => s.slot))).toBeLessThan(40);
  });

  test("an undeclared metric, a wrong kind and wrong labels throw in development and do no harm in production", () => {
    const strict = new MetricsRegion(table, { strict: true });
    expect(() => strict.counter("nothing_total")).toThrow("no counter nothing_total is declared");
    expect(() => strict.gauge("hits_total", { route: "a", class: "b" })).toThrow("no gauge hits_total is declared");
    expect(() => strict.counter("hits_total", { route: "a" })).toThrow("has the labels [route,class], not [route]");
    const lenient = new MetricsRegion(table, { strict: false });
    lenient.counter("nothing_total").add(1);
    lenient.histogram("nothing_seconds").observe(1);
    expect(lenient.series).toHaveLength(0);
  });

  test("a drop-in's declarations can be added later and never replace the spine's", () => {
    const region = new MetricsRegion(table, { strict: true });
    region.declare({ late_total: { kind: "counter", doc: "late" }, open: { kind: "counter", doc: "wrong" } });
    region.counter("late_total").add(1);
    region.gauge("open").set(1);
    expect(Object.keys(region.declarations())).toContain("late_total");
  });

  test("another thread's numbers are read through the memory and the directory it hands over", async () => {
    const handedOver: Series[] = [];
    const region = new MetricsRegion(table, { strict: true, onSeries: (series) => handedOver.push(series) });
    const mirror = new MetricsMirror(region.buffer);
    region.counter("hits_total", { route: "a", class: "2xx" }).add(4);
    for (const series of structuredClone(handedOver)) mirror.add(series);
    expect(mirror.values[mirror.series[0]!.slot]).toBe(4);
  });
});

test("every metric of the spine is documented and named as Prometheus asks", () => {
  for (const [name, { kind, doc }] of Object.entries(spineMetrics)) {
    expect(name).toMatch(/^outrigger_[a-z0-9_]+$/);
    expect(name.endsWith("_total")).toBe(kind === "counter");
    if (kind === "histogram") expect(name).toEndWith("_seconds");
    expect(doc).toMatch(/^[A-Z1].*\.$/);
  }
});

test("totals are added up over series and threads; a thread that is gone holds nothing any more", () => {
  const mirrors: MetricsMirror[] = [];
  for (let thread = 1; thread <= 2; thread++) {
    const region = new MetricsRegion(table, { strict: true });
    region.counter("hits_total", { route: "a", class: "2xx" }).add(thread);
    region.counter("hits_total", { route: "b", class: "2xx" }).add(10);
    region.gauge("open").set(5);
    const mirror = new MetricsMirror(region.buffer);
    for (const series of region.series) mirror.add(series);
    mirrors.push(mirror);
  }
  expect([totalOf("hits_total", mirrors), totalOf("open", mirrors), totalOf("absent", mirrors)]).toEqual([23, 10, 0]);
  mirrors[0]!.clearGauges();
  expect([totalOf("hits_total", mirrors), totalOf("open", mirrors)]).toEqual([23, 5]);
});
