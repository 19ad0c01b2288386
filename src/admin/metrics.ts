/**
 * The scrape: sums the regions of all threads and writes the Prometheus text format 0.0.4
 * (https://prometheus.io/docs/instrumenting/exposition_formats/).
 */

import type { MetricDeclaration } from "../contracts.ts";
import type { MetricsSource, MetricTable, Series } from "../metrics.ts";
import { bucketBounds, readHistogram } from "../telemetry/cells.ts";

export const expositionType = "text/plain; version=0.0.4; charset=utf-8";

/** One series added up over all threads: where it stands in each. */
interface Sum {
  readonly labels: Series["labels"];
  readonly places: { values: Float64Array; slot: number }[];
}

/**
 * The text of one scrape: every metric of the table that has a series, and every counter without labels, which
 * starts at 0 so that an alert on its increase sees the first one.
 */
export function exposition(table: MetricTable, sources: readonly MetricsSource[]): string {
  const sums = addUp(sources);
  let text = "";
  for (const [name, declaration] of Object.entries(table)) {
    const family = [...(sums.get(name)?.values() ?? [])];
    const isPlainCounter = declaration.kind === "counter" && (declaration.labels ?? []).length === 0;
    if (family.length === 0 && isPlainCounter) family.push({ labels: [], places: [] });
    if (family.length > 0) text += familyText(name, declaration, family);
  }
  return text;
}

/** `# HELP` and `# TYPE` of a metric. */
export function familyHead(name: string, kind: MetricDeclaration["kind"], doc: string): string {
  const help = doc.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
  return `# HELP ${name} ${help}\n# TYPE ${name} ${kind}\n`;
}

function addUp(sources: readonly MetricsSource[]): Map<string, Map<string, Sum>> {
  const families = new Map<string, Map<string, Sum>>();
  for (const { values, series } of sources) {
    for (const { name, labels, slot } of series) {
      const family = families.get(name) ?? new Map<string, Sum>();
      families.set(name, family);
      const key = labelText(labels);
      const sum = family.get(key) ?? { labels, places: [] };
      family.set(key, sum);
      sum.places.push({ values, slot });
    }
  }
  return families;
}

function familyText(name: string, { kind, doc, isFact }: MetricDeclaration, family: readonly Sum[]): string {
  const line = kind === "histogram" ? histogramText : isFact ? factText : numberText;
  return familyHead(name, kind, doc) + family.map((sum) => line(name, sum)).join("");
}

function numberText(name: string, { labels, places }: Sum): string {
  const total = places.reduce((sum, { values, slot }) => sum + values[slot]!, 0);
  return `${name}${labelText(labels)} ${numeral(total)}\n`;
}

/** The highest: a thread that has not said it yet, or is gone, says 0. */
function factText(name: string, { labels, places }: Sum): string {
  const highest = Math.max(...places.map(({ values, slot }) => values[slot]!));
  return `${name}${labelText(labels)} ${numeral(highest)}\n`;
}

function histogramText(name: string, { labels, places }: Sum): string {
  const parts = places.map(({ values, slot }) => readHistogram(values, slot));
  const cumulative = (bucket: number) => parts.reduce((sum, part) => sum + part.cumulative[bucket]!, 0);
  let text = "";
  for (let bucket = 0; bucket <= bucketBounds.length; bucket++) {
    const bound = bucketBounds[bucket] === undefined ? "+Inf" : numeral(bucketBounds[bucket]!);
    text += `${name}_bucket${labelText([...labels, ["le", bound]])} ${numeral(cumulative(bucket))}\n`;
  }
  const sum = parts.reduce((total, part) => total + part.sum, 0);
  text += `${name}_sum${labelText(labels)} ${numeral(sum)}\n`;
  return `${text}${name}_count${labelText(labels)} ${numeral(cumulative(bucketBounds.length))}\n`;
}

function labelText(labels: Series["labels"]): string {
  if (labels.length === 0) return "";
  return `{${labels.map(([name, value]) => `${name}="${escaped(value)}"`).join(",")}}`;
}

function escaped(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

/** Prometheus writes infinities as `+Inf` and `-Inf`; all else is as JavaScript writes it. */
function numeral(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
