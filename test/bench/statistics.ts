/**
 * The few statistics that the benchmarks report.
 *
 * Invariants
 *  1. No function sorts or changes what it is given.
 *  2. A run that did not finish is NaN; spreads leave it out, and say so by nothing but what it lost.
 *  3. Nothing measured is no number: every statistic of an empty list is NaN, so that it cannot pass for a result.
 */

/** The middle value; of an even number of values the mean of the two in the middle. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length / 2;
  if (sorted.length === 0) return NaN;
  if (!Number.isInteger(middle)) return sorted[Math.floor(middle)] as number;
  return ((sorted[middle - 1] as number) + (sorted[middle] as number)) / 2;
}

/** The smallest value that at least `share` (0 to 1) of all values do not exceed: the nearest rank, never a mean. */
export function percentile(values: readonly number[], share: number): number {
  if (values.length === 0) return NaN;
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] as number;
}

/** A figure over several runs. */
export interface Spread {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

export function spread(values: readonly number[]): Spread {
  const finished = values.filter((value) => !Number.isNaN(value));
  if (finished.length === 0) return { median: NaN, min: NaN, max: NaN };
  return { median: median(finished), min: Math.min(...finished), max: Math.max(...finished) };
}

/** Ratios run by run, so that what slows a whole run cancels out. Runs that only one side has are left out. */
export function ratios(ours: readonly number[], floor: readonly number[]): number[] {
  return ours.slice(0, floor.length).map((value, run) => value / (floor[run] as number));
}

/**
 * The slope of a line through points, after Theil (1950) and Sen (1968): the median of the slopes of all pairs. Outliers,
 * up to 29 % of the points, do not move it.
 */
export function slope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const slopes: number[] = [];
  for (const [index, a] of points.entries())
    for (const b of points.slice(index + 1)) if (a.x !== b.x) slopes.push((b.y - a.y) / (b.x - a.x));
  return median(slopes);
}
