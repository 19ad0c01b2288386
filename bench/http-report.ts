/** The HTTP figures in words: the same text goes to the terminal and to docs/benchmarks.md. */
import { type Column, type Plan, type PointResult, SLICE_MS } from "./http.ts";
import { conditions } from "./machine.ts";
import { table } from "./page.ts";
import type { Point } from "./points.ts";
import { median, quantile, ratios } from "./statistics.ts";

/** The columns of one point by role: both processes of the subject, and the others. */
interface Roles {
  a: Column;
  b: Column;
  others: Column[];
}

export interface HttpReport {
  subject: string;
  plan: Plan;
  /** What each contender says of its version. */
  versions: string[];
  /** Config files, for the links. */
  configs: string[];
  /** Contenders that were left out, and why. */
  missing: string[];
  results: PointResult[];
}

/** The whole section, as Markdown. */
export function httpSection(report: HttpReport): string {
  return [
    method(report),
    cpuTable(report),
    notes(report),
    `### Use of the core and memory\n\n${useTable(report)}`,
    `### Latency at ${report.plan.perSecond} requests a second\n\n${latency(report)}`,
    `### All rounds\n\n${roundTable(report)}`,
  ].join("\n\n");
}

function method({ plan, versions, configs, missing }: HttpReport): string {
  const links = configs.map((file) => `[${file}](../bench/configs/${file})`).join(", ");
  return [
    ...conditions().map((fact) => `- ${fact}`),
    `- ${versions.join("; ")}; configs: ${links}`,
    ...missing.map((why) => `- left out: ${why}`),
    "- Proxy on core 0 with one thread or worker for traffic, origin and load on core 1; keep-alive on both sides, routes, timeouts and limits on, access logs off in all. Answers, forwarded fields and bodies are checked before anything is timed; the load's count of answers must equal the origin's count of requests in every round.",
    `- A figure is the user and system time a process used (all threads; for nginx master and worker) from a round's begin to its end, divided by the requests it served meanwhile. ${plan.rounds} rounds of ${plan.roundMs / 1000} s closed-loop load for each contender, in slices of ${SLICE_MS / 1000} s taken in turn, the order reversed every time. Ratios are made within a round; given are their median, the smallest and the largest.`,
  ].join("\n");
}

function rolesOf({ columns }: PointResult): Roles {
  return { a: columns[0]!, b: columns.at(-1)!, others: columns.slice(1, -1) };
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

function cpuTable({ subject, results }: HttpReport): string {
  const others = rolesOf(results[0]!).others.map((column) => column.label);
  const head = [
    "µs CPU per request",
    subject,
    ...others,
    ...others.map((name) => `${subject} ÷ ${name}`),
    "B ÷ A (noise)",
    "aim · bar",
    "",
  ];
  const rows = results.map((result) => {
    const roles = rolesOf(result);
    const own = subjectUs(roles);
    const against = roles.others.map((column) => ratios(own, us(column)));
    return [
      result.point.doc,
      median(own).toFixed(1),
      ...roles.others.map((column) => median(us(column)).toFixed(1)),
      ...against.map(spread),
      spread(ratios(us(roles.b), us(roles.a))),
      result.point.bar ? `${result.point.aim?.toFixed(2)} · ${result.point.bar.toFixed(2)}` : "–",
      verdict(result.point, against.map(median)),
    ];
  });
  return table(head, rows);
}

/** Judged by the worst ratio. */
function verdict(point: Point, against: readonly number[]): string {
  const worst = Math.max(...against);
  if (point.bar === undefined || against.length === 0) return "";
  if (worst <= (point.aim ?? 0)) return "aim reached";
  return worst <= point.bar ? "within the bar" : "over the bar";
}

function notes({ subject, results }: HttpReport): string {
  const foreign = results.flatMap(({ columns }) =>
    columns.flatMap((column) => column.samples.map((sample) => sample.foreign)),
  );
  const share = `${(median(foreign) * 100).toFixed(0)} % (largest ${(Math.max(...foreign) * 100).toFixed(0)} %)`;
  return [
    `${subject} runs twice; its figure in a round is the mean of both, and B ÷ A shows what the same program differs from itself.`,
    `Others used ${share} of the proxy's core meanwhile.`,
  ].join(" ");
}

function useTable({ results }: HttpReport): string {
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
  return `${table(["point", "", "requests/s", "of the core", "RssAnon MiB", "RSS MiB"], rows)}\n\nMemory is that after the rounds of the point, nginx's of both its processes. A proxy that does not fill its core wakes for fewer events at a time and pays more for each.`;
}

function latency({ results, plan }: HttpReport): string {
  const base = results.find((result) => result.directLatency);
  if (!base?.directLatency) return "Not measured: the base point was not part of this run.";
  const ms = (value: number): string => value.toFixed(2);
  const rows = [["straight to the origin", ms(base.directLatency.p50Ms), ms(base.directLatency.p99Ms)]];
  for (const { label, latency } of base.columns) if (latency) rows.push([label, ms(latency.p50Ms), ms(latency.p99Ms)]);
  return `${table(["", "p50 ms", "p99 ms"], rows)}\n\nBase point, requests due by the clock (${plan.perSecond / 1000} each millisecond), time from when a request fell due; medians of three passes. Origin and load share a core: compare with the first row.`;
}

function roundTable({ results }: HttpReport): string {
  const columns = rolesOf(results[0]!);
  const head = ["point", "round", ...[columns.a, ...columns.others, columns.b].map((column) => column.label)];
  const rows = results.flatMap(({ point, columns: all }) =>
    all[0]!.samples.map((_, round) => [
      point.name,
      String(round + 1),
      ...all.map((column) => us(column)[round]!.toFixed(2)),
    ]),
  );
  return table(head, rows);
}

/** Worst CPU ratio to any other contender, for the terminal's last line. */
export function summary({ subject, results }: HttpReport): string {
  return results
    .map((result) => {
      const roles = rolesOf(result);
      const own = subjectUs(roles);
      const parts = roles.others.map((column) => `${median(ratios(own, us(column))).toFixed(2)} × ${column.label}`);
      const noise = ratios(us(roles.b), us(roles.a));
      const range = `${quantile(noise, 0.25).toFixed(2)}–${quantile(noise, 0.75).toFixed(2)}`;
      return `${result.point.name}: ${subject} ${median(own).toFixed(1)} µs, ${parts.join(", ")}; B ÷ A ${median(noise).toFixed(2)} (${range})`;
    })
    .join("\n");
}
