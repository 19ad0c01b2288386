/** The streams of a batch as Loki knows them: labels, and entries in order. */
import type { Batch, Block, LogFields, LogRecord, LogSource } from "../contracts.ts";
import { fieldOf, labelText } from "./_items.ts";

export type Labels = readonly (readonly [name: string, value: string])[];

/** Which names become labels. */
export interface LabelRules {
  /** The same for all. */
  readonly fixed: Readonly<Record<string, string>>;
  /** Of the entry's `fields`; undefined for all that are texts, numbers or truth values. */
  readonly ofSource: readonly string[] | undefined;
  /** Of what was parsed. */
  readonly ofRecord: readonly string[];
}

export interface Stream {
  readonly labels: Labels;
  readonly items: (Block | LogRecord)[];
}

/** As Prometheus allows it: letters, digits and underscores, no digit first. */
export function labelName(name: string): string {
  const plain = name.replace(/[^a-zA-Z0-9_]/g, "_");
  return /^[0-9]/.test(plain) || plain === "" ? `_${plain}` : plain;
}

/**
 * Blocks and records of the same labels together, each in its order. A stream must have a label, so that one without is
 * called by the entry it comes from.
 */
export function streamsOf({ blocks }: Batch, rules: LabelRules): Stream[] {
  const streams = new Map<string, Stream>();
  const ofSource = new Map<LogSource, Record<string, string>>();
  const add = (labels: Record<string, string>, item: Block | LogRecord) => {
    const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
    const key = JSON.stringify(pairs);
    const stream = streams.get(key);
    if (stream === undefined) streams.set(key, { labels: pairs, items: [item] });
    else stream.items.push(item);
  };
  for (const block of blocks) {
    const { source, records } = block;
    const base = ofSource.get(source) ?? sourceLabels(source, rules);
    ofSource.set(source, base);
    if (records === undefined) add(named(base, source), block);
    else for (const record of records) add(named(withRecord(base, record, rules.ofRecord), source), record);
  }
  return [...streams.values()];
}

function sourceLabels({ fields }: LogSource, { fixed, ofSource }: LabelRules): Record<string, string> {
  return { ...pick(fields, ofSource ?? Object.keys(fields)), ...fixed };
}

function pick(fields: LogFields, names: readonly string[]): Record<string, string> {
  const labels: Record<string, string> = {};
  for (const name of names) {
    const value = labelText(fields[name]);
    if (value !== undefined) labels[labelName(name)] = value;
  }
  return labels;
}

function withRecord(base: Record<string, string>, record: LogRecord, names: readonly string[]): Record<string, string> {
  if (names.length === 0) return base;
  const labels = { ...base };
  for (const name of names) {
    const value = labelText(fieldOf(record, name));
    if (value !== undefined) labels[labelName(name)] = value;
  }
  return labels;
}

function named(labels: Record<string, string>, { input }: LogSource): Record<string, string> {
  for (const _ in labels) return labels;
  return { job: input };
}

/** `{app="x", pod="p-1"}`: the values as Go quotes texts, of which JSON's escapes are a part. */
export function labelsText(labels: Labels): string {
  return `{${labels.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(", ")}}`;
}
