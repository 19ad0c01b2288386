import { describe, expect, test } from "bun:test";
import type { Column, PointResult } from "./measure.ts";
import { points, tlsPoints } from "./points.ts";
import { type Report, section, summary, verdicts } from "./report.ts";
import { suites } from "./suites.ts";

function column(label: string, ...figures: number[]): Column {
  return {
    label,
    memory: { rssKiB: 2048, rssAnonKiB: 1024 },
    samples: figures.map((usPerRequest) => ({ usPerRequest, requestsPerSecond: 1000, busy: 0.9, foreign: 0.01 })),
  };
}

function report(results: PointResult[], subject = "outrigger"): Report {
  const plan = { rounds: 2, roundMs: 1000, warmUpMs: 0, perSecond: 2000, say() {} };
  return {
    suite: suites.http!,
    subject,
    plan,
    versions: ["x 1"],
    configs: ["nginx.conf"],
    missing: ["y: why\nnot"],
    results,
  };
}

const base: PointResult = {
  point: points[0]!,
  lost: [],
  columns: [
    column("outrigger A", 20, 20),
    column("haproxy", 20, 20),
    column("envoy", 50, 50),
    column("outrigger B", 22, 22),
  ],
};

describe("a report", () => {
  test("shows figures, ratios to the mean of both, and what became of the bars", () => {
    const text = section(report([base]));
    expect(text).toContain("| small head (one field), 64-byte answer, 32 connections | 21.0 | 20.0 | 50.0 |");
    expect(text).toContain("| base | **1.05** (1.05–1.05) | **0.42** (0.42–0.42) | **1.10** (1.10–1.10) |");
    expect(text).toContain("haproxy ≤ 1.15: within the bar; envoy ≤ 0.60: within the bar |");
    expect(text).toContain("- left out: y: why · not");
    expect(text).not.toContain("### Latency");
    expect(summary(report([base]))).toStartWith("base: outrigger 21.0 µs, 1.05 × haproxy, 0.42 × envoy");
  });

  test("a contender that did not last at one point leaves a gap there, and the reason", () => {
    const broken: PointResult = {
      point: points[1]!,
      lost: ["envoy: fell over"],
      columns: [column("outrigger A", 20), column("haproxy", 10), column("outrigger B", 20)],
    };
    const text = section(report([base, broken]));
    expect(text).toContain("- left out at browser-head: envoy: fell over");
    expect(text).toContain("1000 distinct request lines | 20.0 | 10.0 | – |");
    expect(text).toContain("| browser-head | 1 | 20.00 | 10.00 | – | 20.00 |");
    expect(text).toContain("haproxy ≤ 1.30: over the bar |");
  });

  test("what a second of CPU does is told where the point asks for it", () => {
    const handshakes = { ...base, point: tlsPoints.find((point) => point.name === "handshakes")! };
    expect(section(report([handshakes]))).toContain("| 47619 | 50000 | 20000 |");
  });

  test("bars are not held against another subject", () => {
    expect(section(report([base], "haproxy"))).not.toContain("the bar");
  });

  test("a bar whose contender is missing is not spoken of", () => {
    expect(verdicts({ envoy: { aim: 1, bar: 2 } }, new Map())).toBe("–");
    expect(verdicts({ envoy: { aim: 1, bar: 2 } }, new Map([["envoy", 0.99]]))).toBe("envoy ≤ 1.00: aim reached");
  });
});
