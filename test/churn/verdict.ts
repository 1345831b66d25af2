/**
 * Whether memory is flat: computed, not looked at.
 *
 * Invariant: what is judged is the heap that is alive, with what it owns beside it, after full collections; and only
 * what was measured after the warm-up.
 */
import { median, slope } from '../bench/statistics.ts';

/** In an hour it may grow or shrink by this share of its median. */
export const SLOPE_AT_MOST = 0.05;
/** The median of the last fifth may differ from that of the first by this share. */
export const SHIFT_AT_MOST = 0.1;

/** One reading. */
export interface Point {
  /** Minutes since the churn began. */
  readonly x: number;
  /** Megabytes. */
  readonly y: number;
}

export interface Flatness {
  readonly medianMb: number;
  /** The robust slope, carried on to an hour, as a share of the median. */
  readonly perHour: number;
  /** How much the median of the last fifth differs from that of the first, as a share of it. */
  readonly shift: number;
  readonly isFlat: boolean;
}

/** @param points in order of time, without the warm-up */
export function flatness(points: readonly Point[]): Flatness {
  const heights = points.map(({ y }) => y);
  const fifth = Math.ceil(points.length / 5);
  const medianMb = median(heights);
  const perHour = (slope(points) * 60) / medianMb;
  const shift = median(heights.slice(-fifth)) / median(heights.slice(0, fifth)) - 1;
  return {
    medianMb,
    perHour,
    shift,
    isFlat: Math.abs(perHour) <= SLOPE_AT_MOST && Math.abs(shift) <= SHIFT_AT_MOST,
  };
}
