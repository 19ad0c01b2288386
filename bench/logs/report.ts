/** The figures of the collectors in words: the same text goes to the terminal and to docs/benchmarks.md. */
import { conditions } from "../machine.ts";
import { table } from "../page.ts";
import { median, ratios } from "../statistics.ts";
import type { LogContender } from "./contenders.ts";
import { LINE_BYTES } from "./lines.ts";
import { type CaseResult, LEAST_MB_PER_SECOND, type LogColumn, START_LIMIT_MS } from "./measure.ts";

export interface LogReport {
  contenders: readonly LogContender[];
  missing: readonly string[];
  results: readonly CaseResult[];
  /** What kind of file system the files were on. */
  files: string;
}

export function logSection(report: LogReport): string {
  return [
    method(report),
    `### Raw figures\n\n${figures(report)}`,
    `### Ratios\n\n${ratioTable(report)}\n\n${notes(report)}`,
    `### All rounds\n\n${rounds(report)}`,
  ].join("\n\n");
}

/** What a reader may look for in vain. */
const NOT_THERE = [
  "Fluent Bit and Vector, which are in none of the registries this bench takes programs from (Debian 12, PyPI, npm, Maven Central)",
  "rsyslog by HTTP: no Debian package has its output omhttp",
];

/** What they are, and how they were told what to do. */
export function logConfigs(contenders: readonly LogContender[]): string {
  const links = contenders.map(({ template }) => `[${template}](../bench/configs/${template})`).join(", ");
  return `${contenders.map(({ version }) => version).join("; ")}; configs: ${links}`;
}

function method({ contenders, missing, results, files }: LogReport): string {
  const lost = results.flatMap((one) => one.lost.map((why) => `- left out at ${one.case.name}: ${oneLine(why)}`));
  const amounts = results.map((one) => `${one.case.name} ${one.rounds} of ${(one.bytes / 2 ** 20).toFixed(0)} MiB`);
  return [
    ...conditions().map((fact) => `- ${fact}`),
    `- ${logConfigs(contenders)}`,
    ...NOT_THERE.map((why) => `- not compared: ${why}`),
    ...missing.map((why) => `- left out: ${oneLine(why)}`),
    ...lost,
    `- Lines of ${LINE_BYTES} bytes; a collector gets them as one file that is suddenly there, after a smaller one that warms it up. Collector on core 0, the sink and all else on core 1; files ${files}.`,
    `- A figure is the log's MB (10^6 bytes) divided by the user and system seconds of the whole process, from just before the file appeared until 1.2 s after its last line had arrived, so that positions are written too. Rounds: ${amounts.join(", ")}. In each, every collector works alone, in a new process with empty state, the order reversed every time. All that arrived is compared with what was to come: raw lines byte for byte, others line by line. Another collector that has not ended ${START_LIMIT_MS / 1000} s and a second for every ${LEAST_MB_PER_SECOND} MB after it was given a file is stopped and left out.`,
  ].join("\n");
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " · ");
}

function rates({ samples }: LogColumn): number[] {
  return samples.map((sample) => sample.mbPerCpuSecond);
}

/** The subject's figure of each round: the mean of its two processes, which stand first and last in the round. */
function subjectRates({ columns }: CaseResult): number[] {
  const second = rates(columns.at(-1)!);
  return rates(columns[0]!).map((first, round) => (first + second[round]!) / 2);
}

function figures({ results }: LogReport): string {
  const rows = results.flatMap((result) =>
    result.columns.map((column) => {
      const middle = (part: (sample: LogColumn["samples"][number]) => number) => median(column.samples.map(part));
      return [
        result.case.doc,
        column.label,
        middle((sample) => sample.mbPerCpuSecond).toFixed(1),
        middle((sample) => sample.mbPerSecond).toFixed(1),
        Math.max(...column.samples.map((sample) => sample.peakRssMiB)).toFixed(1),
      ];
    }),
  );
  return table(["", "", "MB per CPU second", "MB per second", "peak RSS MiB"], rows);
}

function spread(values: readonly number[]): string {
  return `**${median(values).toFixed(2)}** (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})`;
}

function ratioTable({ results }: LogReport): string {
  const names = [...new Set(results.flatMap(({ columns }) => columns.slice(1, -1).map(({ label }) => label)))];
  const rows = results.map((result) => {
    const ours = subjectRates(result);
    const ratio = (name: string): string => {
      const column = result.columns.find(({ label }) => label === name);
      return column ? spread(ratios(ours, rates(column))) : "–";
    };
    const noise = spread(ratios(rates(result.columns.at(-1)!), rates(result.columns[0]!)));
    return [result.case.name, ...names.map(ratio), noise, verdicts(result).join("; ") || "–"];
  });
  return table(["MB per CPU second, outrigger ÷", ...names, "B ÷ A (noise)", "aims and bars"], rows);
}

function verdicts(result: CaseResult): string[] {
  const ours = subjectRates(result);
  const against = Object.entries(result.case.bars ?? {}).flatMap(([name, { aim, bar }]) => {
    const column = result.columns.find(({ label }) => label === name);
    if (!column) return [];
    const ratio = median(ratios(ours, rates(column)));
    const word = ratio >= aim ? "aim reached" : ratio >= bar ? "within the bar" : "under the bar";
    return [`${name} ≥ ${bar}, aim ${aim}: ${word}`];
  });
  const { leastMb } = result.case;
  if (leastMb === undefined) return against;
  return [...against, `≥ ${leastMb} MB: ${median(ours) >= leastMb ? "within the bar" : "under the bar"}`];
}

function notes({ results }: LogReport): string {
  const foreign = results.flatMap(({ columns }) => columns.flatMap(({ samples }) => samples.map((one) => one.foreign)));
  const percent = (share: number) => `${(share * 100).toFixed(0)} %`;
  return `outrigger runs twice a round; its figure is the mean of both, and B ÷ A shows what the same program differs from itself. Others used ${percent(median(foreign))} (largest ${percent(Math.max(...foreign))}) of the collector's core meanwhile.`;
}

function rounds({ results }: LogReport): string {
  const labels = [...new Set(results.flatMap(({ columns }) => columns.map(({ label }) => label)))];
  const count = Math.max(...results.flatMap(({ columns }) => columns.map(({ samples }) => samples.length)));
  const rows = results.flatMap((result) =>
    Array.from({ length: count }, (_, round) => {
      const figure = (label: string): string =>
        result.columns.find((column) => column.label === label)?.samples[round]?.mbPerCpuSecond.toFixed(1) ?? "–";
      return [result.case.name, String(round + 1), ...labels.map(figure)];
    }),
  );
  return table(["MB per CPU second", "round", ...labels], rows);
}
