/**
 * The cells of a metrics region: one float64 for a counter or gauge, sixteen for a histogram.
 *
 *   histogram  [ <=0.5 ms | <=1 ms | ... | <=10 s | +Inf | sum ]     buckets are not cumulative; the count is their total
 */
import type { Counter, Gauge, Histogram, MetricDeclaration } from "../contracts.ts";

/** Upper bounds of the histogram buckets, in seconds; `+Inf` follows them. */
export const bucketBounds: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

const histogramWidth = bucketBounds.length + 2;

/** What is handed out for a series; a cell does nothing for the verbs of another kind. */
export type Cell = Counter & Gauge & Histogram;

/** How many float64 cells a series of this kind takes. */
export function widthOf(kind: MetricDeclaration["kind"]): number {
  return kind === "histogram" ? histogramWidth : 1;
}

/** The writing end of the series whose first cell is `slot`. */
export function cellAt(values: Float64Array, kind: MetricDeclaration["kind"], slot: number): Cell {
  return kind === "histogram" ? new HistogramCells(values, slot) : new NumberCell(values, slot);
}

/** A histogram's numbers as the text format wants them: cumulative buckets (the last is the count) and the sum. */
export function readHistogram(values: Float64Array, slot: number): { cumulative: number[]; sum: number } {
  const cumulative: number[] = [];
  let total = 0;
  for (let bucket = 0; bucket <= bucketBounds.length; bucket++) {
    total += values[slot + bucket]!;
    cumulative.push(total);
  }
  return { cumulative, sum: values[slot + histogramWidth - 1]! };
}

class NumberCell implements Cell {
  private readonly values: Float64Array;
  private readonly slot: number;

  constructor(values: Float64Array, slot: number) {
    this.values = values;
    this.slot = slot;
  }

  add(n: number): void {
    this.values[this.slot]! += n;
  }

  set(value: number): void {
    this.values[this.slot] = value;
  }

  observe(): void {}
}

class HistogramCells implements Cell {
  private readonly values: Float64Array;
  private readonly slot: number;

  constructor(values: Float64Array, slot: number) {
    this.values = values;
    this.slot = slot;
  }

  observe(seconds: number): void {
    let bucket = 0;
    while (bucket < bucketBounds.length && seconds > bucketBounds[bucket]!) bucket++;
    this.values[this.slot + bucket]! += 1;
    this.values[this.slot + histogramWidth - 1]! += seconds;
  }

  add(): void {}

  set(): void {}
}
