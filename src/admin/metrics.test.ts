import { describe, expect, test } from "bun:test";
import { MetricsMirror, MetricsRegion, type MetricTable } from "../metrics.ts";
import { exposition } from "./metrics.ts";
import { processExposition } from "./process-metrics.ts";

const dropped = "outrigger_metric_label_sets_dropped_total";
const table: MetricTable = {
  [dropped]: { kind: "counter", doc: "Dropped." },
  hits_total: { kind: "counter", doc: "Hits \\ by\nroute.", labels: ["route"] },
  open: { kind: "gauge", doc: "Open." },
  expires: { kind: "gauge", doc: "Expires.", isFact: true },
  took_seconds: { kind: "histogram", doc: "Took.", labels: ["route"] },
};

/** A filled region of one thread and of another, the second seen through its memory alone. */
function twoThreads(): [MetricsRegion, MetricsMirror] {
  const main = new MetricsRegion(table, { strict: true });
  const worker = new MetricsRegion(table, { strict: true });
  main.counter("hits_total", { route: "a" }).add(1);
  worker.counter("hits_total", { route: 'quo"te\\back\nline' }).add(5);
  worker.counter("hits_total", { route: "a" }).add(2);
  main.histogram("took_seconds", { route: "a" }).observe(0.0007);
  worker.histogram("took_seconds", { route: "a" }).observe(20);
  const mirror = new MetricsMirror(worker.buffer);
  for (const series of worker.series) mirror.add(series);
  return [main, mirror];
}

describe("a scrape", () => {
  test("sums the threads, escapes labels and help, and writes cumulative buckets", () => {
    const text = exposition(table, twoThreads());
    expect(text).toContain("# HELP hits_total Hits \\\\ by\\nroute.\n# TYPE hits_total counter\n");
    expect(text).toContain('hits_total{route="a"} 3\n');
    expect(text).toContain('hits_total{route="quo\\"te\\\\back\\nline"} 5\n');
    expect(text).toContain('took_seconds_bucket{route="a",le="0.0005"} 0\n');
    expect(text).toContain('took_seconds_bucket{route="a",le="0.001"} 1\n');
    expect(text).toContain('took_seconds_bucket{route="a",le="10"} 1\n');
    expect(text).toContain('took_seconds_bucket{route="a",le="+Inf"} 2\n');
    expect(text).toContain('took_seconds_sum{route="a"} 20.0007\ntook_seconds_count{route="a"} 2\n');
  });

  test("adds up what threads have, and does not add up what they know", () => {
    const threads = [1, 2, 3].map(() => new MetricsRegion(table, { strict: true }));
    for (const region of threads) region.gauge("open").set(2);
    for (const region of threads.slice(1)) region.gauge("expires").set(1_900_000_000);
    threads[0]!.gauge("expires").set(0);
    const text = exposition(table, threads);
    expect(text).toContain("open 6\n");
    expect(text).toContain("expires 1900000000\n");
  });

  test("shows counters without labels from the start, and nothing of a gauge nobody set", () => {
    const text = exposition(table, [new MetricsRegion(table, { strict: true })]);
    expect(text).toContain(`${dropped} 0\n`);
    expect(text).not.toContain("open");
    expect(text).not.toContain("hits_total");
  });

  test("of this process tells memory, CPU, descriptors and start", () => {
    const text = processExposition(1_700_000_000_500);
    const value = (name: string) => Number(new RegExp(`^${name} (.+)$`, "m").exec(text)?.[1]);
    expect(value("process_resident_memory_bytes")).toBeGreaterThan(1e6);
    expect(value("outrigger_process_anonymous_memory_bytes")).toBeGreaterThan(1e5);
    expect(value("process_cpu_seconds_total")).toBeGreaterThan(0);
    expect(value("process_open_fds")).toBeGreaterThan(2);
    expect(value("process_max_fds")).toBeGreaterThan(2);
    expect(value("process_start_time_seconds")).toBe(1_700_000_000.5);
  });
});
