/** The few numbers a table of rounds is reduced to. */

/** Value below which the share `q` (0 to 1) of the values lies, interpolated between neighbours; NaN for none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const place = (sorted.length - 1) * q;
  const low = sorted[Math.floor(place)] ?? Number.NaN;
  const high = sorted[Math.ceil(place)] ?? Number.NaN;
  return low + (high - low) * (place - Math.floor(place));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** Ratios of one round's figures to the other's, round by round: what both shared in a round cancels. */
export function ratios(over: readonly number[], under: readonly number[]): number[] {
  return over.slice(0, under.length).map((value, round) => value / under[round]!);
}

/** Two-sided 95 % points of Student's t distribution for 1, 2, 3 … degrees of freedom. */
const STUDENT_95 = [
  12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.16, 2.145, 2.131, 2.12, 2.11,
  2.101, 2.093, 2.086, 2.08, 2.074, 2.069, 2.064, 2.06, 2.056, 2.052, 2.048, 2.045, 2.042,
];

/** A mean and how far off chance may have put it. */
export interface Interval {
  mean: number;
  low: number;
  high: number;
}

/** The mean of independent values with its 95 % interval by Student's t. @throws with less than two values */
export function meanInterval(values: readonly number[]): Interval {
  const n = values.length;
  if (n < 2) throw new Error("one value says nothing about chance");
  const mean = values.reduce((sum, value) => sum + value, 0) / n;
  const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (n - 1);
  const half = (STUDENT_95[n - 2] ?? 1.96) * Math.sqrt(variance / n);
  return { mean, low: mean - half, high: mean + half };
}

/** The same for ratios: the geometric mean, so that a/b and b/a say the same. */
export function ratioInterval(values: readonly number[]): Interval {
  const { mean, low, high } = meanInterval(values.map(Math.log));
  return { mean: Math.exp(mean), low: Math.exp(low), high: Math.exp(high) };
}

/**
 * Theil–Sen slope: the median of the slopes between all pairs of points, which a few wild ones do not move. NaN for
 * fewer than two points.
 */
export function robustSlope(points: readonly (readonly [x: number, y: number])[]): number {
  const slopes: number[] = [];
  for (const [i, [x1, y1]] of points.entries()) {
    for (const [x2, y2] of points.slice(i + 1)) if (x2 !== x1) slopes.push((y2 - y1) / (x2 - x1));
  }
  return median(slopes);
}
