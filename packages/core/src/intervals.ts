/**
 * Sets of positive whole numbers as maximal intervals, flat: `[first, last, first, last, …]`.
 *
 * Invariants
 *  1. Bounds rise, and between two intervals at least one number is missing: equal sets have equal arrays.
 *  2. Growing at the upper end, which is what a live origin does, costs O(1); the rest costs O(log n) plus the move.
 *  3. What a small set has, shares or lacks of a large one costs by the small one, and by the logarithm of the large one.
 */

export type Intervals = number[];
export type ReadonlyIntervals = readonly number[];

/** Index of the first interval whose last number is at least `value`, as an index of its first bound. */
export function lowerBound(intervals: ReadonlyIntervals, value: number): number {
  let low = 0;
  let high = intervals.length / 2;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((intervals[2 * middle + 1] as number) < value) low = middle + 1;
    else high = middle;
  }
  return 2 * low;
}

/** As `lowerBound`, where no interval before `from` is the one: takes as long as the logarithm of how far it is from there. */
function seek(intervals: ReadonlyIntervals, from: number, value: number): number {
  if (from >= intervals.length || (intervals[from + 1] as number) >= value) return from;
  const count = intervals.length / 2;
  let low = from / 2;
  let step = 1;
  while (low + step < count && (intervals[2 * (low + step) + 1] as number) < value) {
    low += step;
    step *= 2;
  }
  let high = Math.min(count, low + step);
  low++;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((intervals[2 * middle + 1] as number) < value) low = middle + 1;
    else high = middle;
  }
  return 2 * low;
}

export function hasNumber(intervals: ReadonlyIntervals, value: number): boolean {
  const length = intervals.length;
  if (length === 0 || value > (intervals[length - 1] as number)) return false;
  const i = length === 2 ? 0 : lowerBound(intervals, value);
  return (intervals[i] as number) <= value;
}

/** Whether none of `first … last` is in there. */
export function isFree(intervals: ReadonlyIntervals, first: number, last: number): boolean {
  const i = lowerBound(intervals, first);
  return i === intervals.length || (intervals[i] as number) > last;
}

/** Whether everything in `b` is in `a`. */
export function includesAll(a: ReadonlyIntervals, b: ReadonlyIntervals): boolean {
  if (a.length === 2 && b.length === 2)
    return (a[0] as number) <= (b[0] as number) && (b[1] as number) <= (a[1] as number);
  let j = 0;
  for (let i = 0; i < b.length; i += 2) {
    const last = b[i + 1] as number;
    j = seek(a, j, last);
    if (j >= a.length || (a[j] as number) > (b[i] as number)) return false;
  }
  return true;
}

/** Adds `first … last` in place. */
export function addInterval(intervals: Intervals, first: number, last: number): void {
  const length = intervals.length;
  const end = length === 0 ? -1 : (intervals[length - 1] as number);
  if (length === 0 || first > end + 1) {
    intervals.push(first, last);
    return;
  }
  if (first >= (intervals[length - 2] as number)) {
    if (last > end) intervals[length - 1] = last;
    return;
  }
  const i = lowerBound(intervals, first - 1);
  let j = i;
  let newFirst = first;
  let newLast = last;
  while (j < length && (intervals[j] as number) <= last + 1) {
    newFirst = Math.min(newFirst, intervals[j] as number);
    newLast = Math.max(newLast, intervals[j + 1] as number);
    j += 2;
  }
  intervals.splice(i, j - i, newFirst, newLast);
}

/** Removes `first … last` in place. */
export function removeInterval(intervals: Intervals, first: number, last: number): void {
  const i = lowerBound(intervals, first);
  const left: number[] = [];
  let j = i;
  while (j < intervals.length && (intervals[j] as number) <= last) {
    const from = intervals[j] as number;
    const to = intervals[j + 1] as number;
    if (from < first) left.push(from, first - 1);
    if (to > last) left.push(last + 1, to);
    j += 2;
  }
  if (j > i) intervals.splice(i, j - i, ...left);
}

/** What is in either, as a new set. */
export function unite(a: ReadonlyIntervals, b: ReadonlyIntervals): Intervals {
  const result: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length || j < b.length) {
    const isFromA = j >= b.length || (i < a.length && (a[i] as number) <= (b[j] as number));
    if (isFromA) {
      addInterval(result, a[i] as number, a[i + 1] as number);
      i += 2;
    } else {
      addInterval(result, b[j] as number, b[j + 1] as number);
      j += 2;
    }
  }
  return result;
}

/** What is in `a` and not in `b`, as a new set. */
export function subtract(a: ReadonlyIntervals, b: ReadonlyIntervals): Intervals {
  const result: number[] = [];
  let j = 0;
  for (let i = 0; i < a.length; i += 2) {
    let first = a[i] as number;
    const last = a[i + 1] as number;
    j = seek(b, j, first);
    let k = j;
    while (k < b.length && (b[k] as number) <= last) {
      if ((b[k] as number) > first) result.push(first, (b[k] as number) - 1);
      first = (b[k + 1] as number) + 1;
      k += 2;
    }
    if (first <= last) result.push(first, last);
    j = k > j ? k - 2 : j;
  }
  return result;
}

/** What is in both, as a new set. */
export function intersect(a: ReadonlyIntervals, b: ReadonlyIntervals): Intervals {
  const result: number[] = [];
  let i = 0;
  let j = 0;
  while (i < a.length && j < b.length) {
    const first = Math.max(a[i] as number, b[j] as number);
    const last = Math.min(a[i + 1] as number, b[j + 1] as number);
    if (first <= last) result.push(first, last);
    else {
      i = seek(a, i, first);
      j = seek(b, j, first);
      continue;
    }
    if ((a[i + 1] as number) < (b[j + 1] as number)) i += 2;
    else j += 2;
  }
  return result;
}

/** How many numbers a set has. */
export function countNumbers(intervals: ReadonlyIntervals): number {
  let count = 0;
  for (let i = 0; i < intervals.length; i += 2) count += (intervals[i + 1] as number) - (intervals[i] as number) + 1;
  return count;
}
