import { expect, test } from "bun:test";
import { cases } from "./cases.ts";
import type { CaseResult, LogColumn } from "./measure.ts";
import { logSection } from "./report.ts";

function column(label: string, rates: number[]): LogColumn {
  const samples = rates.map((mbPerCpuSecond) => ({ mbPerCpuSecond, mbPerSecond: 10, peakRssMiB: 50, foreign: 0.1 }));
  return { label, samples };
}

function sectionOf(name: string, columns: LogColumn[]): string {
  const result: CaseResult = {
    case: cases.find((one) => one.name === name)!,
    rounds: 3,
    bytes: 2 ** 20,
    columns,
    lost: [],
  };
  return logSection({ contenders: [], missing: [], results: [result], files: "in memory (tmpfs)" });
}

test("ratios are made within a round, of the mean of both runs of the subject", () => {
  const section = sectionOf("raw-file", [
    column("outrigger A", [200, 400, 100]),
    column("rsyslog", [100, 100, 50]),
    column("outrigger B", [220, 440, 110]),
  ]);
  expect(section).toContain("| raw-file | **2.10** (2.10–4.20) | **1.10** (1.10–1.10) |");
  expect(section).toContain("rsyslog ≥ 2, aim 3: within the bar");
});

test("a bar that is missed is said to be missed", () => {
  const columns = [column("outrigger A", [30, 30]), column("rsyslog", [40, 40]), column("outrigger B", [30, 30])];
  expect(sectionOf("raw-file", columns)).toContain("rsyslog ≥ 2, aim 3: under the bar");
  expect(sectionOf("json", columns)).toContain("≥ 40 MB: under the bar");
});
