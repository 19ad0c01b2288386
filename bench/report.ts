/** A suite's figures in words: the same text goes to the terminal and to docs/benchmarks.md. */
import { conditions } from "./machine.ts";
import { type Column, type Plan, type PointResult, SLICE_MS } from "./measure.ts";
import { table } from "./page.ts";
import type { Bar } from "./points.ts";
import { median, quantile, ratios } from "./statistics.ts";
import type { Suite } from "./suite.ts";

export interface Report {
  suite: Suite;
  /** Name of the contender that runs twice. */
  subject: string;
  plan: Plan;
  /** What each contender says of its version. */
  versions: readonly string[];
  /** Config templates, for the links. */
  configs: readonly string[];
  /** Contenders that were left out, and why. */
  missing: readonly string[];
  results: readonly PointResult[];
}

/** The columns of one point by role: both processes of the subject, and the others that lasted. */
interface Roles {
  a: Column;
  b: Column;
  others: Map<string, Column>;
}

/** The whole section, as Markdown. */
export function section(report: Report): string {
  return [
    method(report),
    cpuTable(report),
    `### Ratios\n\n${ratioTable(report)}\n\n${notes(report)}`,
    ...perCpuSecond(report),
    `### Use of the core and memory\n\n${useTable(report)}`,
    ...latency(report),
    `### All rounds\n\n${roundTable(report)}`,
  ].join("\n\n");
}

function method({ suite, plan, versions, configs, missing, results }: Report): string {
  const links = configs.map((file) => `[${file}](../bench/configs/${file})`).join(", ");
  const lost = results.flatMap(({ point, lost }) => lost.map((why) => `- left out at ${point.name}: ${oneLine(why)}`));
  return [
    ...conditions().map((fact) => `- ${fact}`),
    `- ${versions.join("; ")}; configs: ${links}`,
    ...missing.map((why) => `- left out: ${oneLine(why)}`),
    ...lost,
    `- Proxy on core 0 with one thread or worker for traffic, app and load on core 1; keep-alive on both sides, timeouts and limits on where there are any, access logs off in all. Answers, forwarded fields and bodies are checked before anything is timed; the load's count must equal the app's in every slice. ${suite.method}`,
    `- A figure is the user and system time a process used (all threads; for nginx master and worker) from a round's begin to its end, divided by what it served meanwhile. ${plan.rounds} rounds of ${plan.roundMs / 1000} s of load for each contender (points other than the usual ones half as long), in slices of ${SLICE_MS / 1000} s taken in turn, the order reversed every time. Ratios are made within a round; given are their median, the smallest and the largest.`,
  ].join("\n");
}

function oneLine(text: string): string {
  return text.replaceAll(/\s*\n\s*/g, " · ");
}

function rolesOf({ columns }: PointResult): Roles {
  const others = new Map(columns.slice(1, -1).map((column) => [column.label, column]));
  return { a: columns[0]!, b: columns.at(-1)!, others };
}

/** Names of all others that lasted at any point, in their order. */
function otherNames({ results }: Report): string[] {
  return [...new Set(results.flatMap((result) => [...rolesOf(result).others.keys()]))];
}

function us(column: Column): number[] {
  return column.samples.map((sample) => sample.usPerRequest);
}

/** The subject's figure of each round: the mean of its two processes, which stand first and last in the round. */
function subjectUs({ a, b }: Roles): number[] {
  const second = us(b);
  return us(a).map((first, round) => (first + second[round]!) / 2);
}

function spread(values: readonly number[]): string {
  return `**${median(values).toFixed(2)}** (${Math.min(...values).toFixed(2)}–${Math.max(...values).toFixed(2)})`;
}

function cpuTable(report: Report): string {
  const names = otherNames(report);
  const rows = report.results.map((result) => {
    const roles = rolesOf(result);
    const figure = (name: string): string => {
      const column = roles.others.get(name);
      return column ? median(us(column)).toFixed(1) : "–";
    };
    return [result.point.doc, median(subjectUs(roles)).toFixed(1), ...names.map(figure)];
  });
  return table([`µs CPU per ${report.suite.unit}`, report.subject, ...names], rows);
}

function ratioTable(report: Report): string {
  const names = otherNames(report);
  const rows = report.results.map((result) => {
    const roles = rolesOf(result);
    const own = subjectUs(roles);
    const against = names.map((name): [string, number[]] => {
      const column = roles.others.get(name);
      return [name, column ? ratios(own, us(column)) : []];
    });
    return [
      result.point.name,
      ...against.map(([, values]) => (values.length > 0 ? spread(values) : "–")),
      spread(ratios(us(roles.b), us(roles.a))),
      // The bars are our own: not those of another contender that stands in our place.
      verdicts(
        report.subject === "outrigger" ? result.point.bars : {},
        new Map(against.map(([name, values]) => [name, median(values)])),
      ),
    ];
  });
  return table([`${report.subject} ÷`, ...names, "B ÷ A (noise)", "aims and bars"], rows);
}

/** Each bar of the point with what became of it: `haproxy ≤ 1.15: within the bar`. */
export function verdicts(bars: Readonly<Record<string, Bar>>, reached: ReadonlyMap<string, number>): string {
  const told = Object.entries(bars).flatMap(([name, { aim, bar }]) => {
    const ratio = reached.get(name);
    if (ratio === undefined || Number.isNaN(ratio)) return [];
    if (ratio <= aim) return [`${name} ≤ ${aim.toFixed(2)}: aim reached`];
    return [`${name} ≤ ${bar.toFixed(2)}: ${ratio <= bar ? "within the bar" : "over the bar"}`];
  });
  return told.length > 0 ? told.join("; ") : "–";
}

function notes({ subject, results }: Report): string {
  const foreign = results.flatMap(({ columns }) =>
    columns.flatMap((column) => column.samples.map((sample) => sample.foreign)),
  );
  const share = `${(median(foreign) * 100).toFixed(0)} % (largest ${(Math.max(...foreign) * 100).toFixed(0)} %)`;
  return [
    `${subject} runs twice; its figure in a round is the mean of both, and B ÷ A shows what the same program differs from itself.`,
    `Others used ${share} of the proxy's core meanwhile.`,
  ].join(" ");
}

/** The points whose figure also says what a second of CPU does. */
function perCpuSecond(report: Report): string[] {
  const names = otherNames(report);
  const rows = report.results.flatMap((result) => {
    const { perCpuSecond: rate, doc } = result.point;
    if (!rate) return [];
    const roles = rolesOf(result);
    const others = names.map((name) => {
      const column = roles.others.get(name);
      return column ? rate.of(median(us(column))) : "–";
    });
    return [[`${rate.doc}: ${doc}`, rate.of(median(subjectUs(roles))), ...others]];
  });
  return rows.length > 0 ? [`### Per second of CPU\n\n${table(["", report.subject, ...names], rows)}`] : [];
}

function useTable({ results, suite }: Report): string {
  const rows = results.flatMap(({ point, columns }) =>
    columns.map((column) => [
      point.name,
      column.label,
      median(column.samples.map((sample) => sample.requestsPerSecond)).toFixed(0),
      `${(median(column.samples.map((sample) => sample.busy)) * 100).toFixed(0)} %`,
      (column.memory.rssAnonKiB / 1024).toFixed(1),
      (column.memory.rssKiB / 1024).toFixed(1),
    ]),
  );
  const head = ["point", "", `${suite.unit}s/s`, "of the core", "RssAnon MiB", "RSS MiB"];
  return `${table(head, rows)}\n\nMemory is that after the rounds of the point, nginx's of both its processes. A proxy that does not fill its core wakes for fewer events at a time and pays more for each.`;
}

function latency({ results, plan, suite }: Report): string[] {
  const base = results.find((result) => result.directLatency);
  if (!base?.directLatency) return [];
  const ms = (value: number): string => value.toFixed(2);
  const rows = [["straight to the app", ms(base.directLatency.p50Ms), ms(base.directLatency.p99Ms)]];
  for (const { label, latency } of base.columns) if (latency) rows.push([label, ms(latency.p50Ms), ms(latency.p99Ms)]);
  const clock =
    suite.name === "http2"
      ? "each client at its share of the rate, all of them at once; time from when a request was sent"
      : `${suite.unit}s due by the clock (${plan.perSecond / 1000} each millisecond), time from when one fell due`;
  return [
    `### Latency at ${plan.perSecond} ${suite.unit}s a second\n\n${table(["", "p50 ms", "p99 ms"], rows)}\n\nBase point, ${clock}; medians of three passes. App and load share a core: compare with the first row.`,
  ];
}

function roundTable(report: Report): string {
  const names = otherNames(report);
  const rows = report.results.flatMap((result) => {
    const { a, b, others } = rolesOf(result);
    const columns = [a, ...names.map((name) => others.get(name)), b];
    return a.samples.map((_, round) => [
      result.point.name,
      String(round + 1),
      ...columns.map((column) => (column ? us(column)[round]!.toFixed(2) : "–")),
    ]);
  });
  return table(["point", "round", `${report.subject} A`, ...names, `${report.subject} B`], rows);
}

/** CPU ratios to all others, for the terminal's last lines. */
export function summary({ subject, results }: Report): string {
  return results
    .map((result) => {
      const roles = rolesOf(result);
      const own = subjectUs(roles);
      const parts = [...roles.others].map(
        ([name, column]) => `${median(ratios(own, us(column))).toFixed(2)} × ${name}`,
      );
      const noise = ratios(us(roles.b), us(roles.a));
      const range = `${quantile(noise, 0.25).toFixed(2)}–${quantile(noise, 0.75).toFixed(2)}`;
      return `${result.point.name}: ${subject} ${median(own).toFixed(1)} µs, ${parts.join(", ")}; B ÷ A ${median(noise).toFixed(2)} (${range})`;
    })
    .join("\n");
}
