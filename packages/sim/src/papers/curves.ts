/**
 * The course of an epidemic: what share of the sites is susceptible, infective and removed, over time and over the runs.
 *
 * Invariants
 *  1. At every time of every run the three shares add up to 1.
 *  2. The spread over the runs is from the tenth to the ninetieth percentile.
 *
 * Source: Demers et al. 1987, section 1.4; Bailey, "The Mathematical Theory of Infectious Diseases", 1975.
 */

import type { Spread } from './spread.ts';

/** A share of the sites at one time. */
export interface Share {
  /** In cycles. */
  readonly time: number;
  readonly mean: number;
  readonly low: number;
  readonly high: number;
}

export interface Curves {
  readonly susceptible: readonly Share[];
  readonly infective: readonly Share[];
  readonly removed: readonly Share[];
}

const STEPS = 100;

/**
 * @param runs at least one
 * @param stepsOfCycle whether times are whole cycles, as in synchronous experiments; else a hundred steps of the whole
 */
export function curvesOf(runs: readonly Spread[], stepsOfCycle: boolean): Curves {
  const end = runs.reduce((latest, run) => Math.max(latest, endOf(run)), 0);
  const times = stepsOfCycle
    ? Array.from({ length: end + 1 }, (_, cycle) => cycle)
    : Array.from({ length: STEPS + 1 }, (_, step) => (step * end) / STEPS);
  const arrivals = runs.map((run) => run.arrivals.toSorted());
  const removals = runs.map((run) => run.removals.toSorted());
  const susceptible: Share[] = [];
  const infective: Share[] = [];
  const removed: Share[] = [];
  for (const time of times) {
    const held = arrivals.map((each) => countUpTo(each, time) / each.length);
    const lost = removals.map((each) => countUpTo(each, time) / each.length);
    susceptible.push(
      shareOf(
        time,
        held.map((share) => 1 - share),
      ),
    );
    infective.push(
      shareOf(
        time,
        held.map((share, run) => share - (lost[run] as number)),
      ),
    );
    removed.push(shareOf(time, lost));
  }
  return { susceptible, infective, removed };
}

/** When the last site got the update or lost interest. */
function endOf({ arrivals, removals }: Spread): number {
  let end = 0;
  for (const times of [arrivals, removals]) for (const at of times) if (at !== Infinity && at > end) end = at;
  return end;
}

/** How many of sorted values are at most `limit`. */
function countUpTo(sorted: Float64Array, limit: number): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as number) <= limit) low = middle + 1;
    else high = middle;
  }
  return low;
}

function shareOf(time: number, shares: readonly number[]): Share {
  const sorted = shares.toSorted((a, b) => a - b);
  const at = (quantile: number): number => sorted[Math.round(quantile * (sorted.length - 1))] as number;
  return { time, mean: shares.reduce((sum, share) => sum + share, 0) / shares.length, low: at(0.1), high: at(0.9) };
}
