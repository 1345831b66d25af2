/**
 * The infective dots with their counters, kept as runs: neighbouring dots of one origin with equal counters are one.
 *
 * Invariants
 *  1. Runs of an origin rise, do not overlap, and no two that touch have equal counters: a burst of one origin is one
 *     run, however many dots it has.
 *  2. A change to a set of dots costs by its intervals and the runs that they meet, never by its dots; growing at the
 *     upper end of an origin is O(1).
 *
 * Source: docs/algorithm.md.
 */

import type { Dots, OriginDots } from '../context.ts';
import { type Intervals, type ReadonlyIntervals, addInterval, intersect, subtract } from '../intervals.ts';
import type { Origin } from '../origin.ts';

interface Run {
  readonly first: number;
  last: number;
  readonly counter: number;
}

interface OriginRuns {
  readonly origin: Origin;
  runs: Run[];
}

/** Up to so many bounds are changed one interval after the other. */
const FEW_BOUNDS = 64;
/** More pieces than this are not passed as arguments: a call takes only so many. */
const SPLICE_LIMIT = 1024;

export class Runs {
  readonly #origins = new Map<string, OriginRuns>();
  #count = 0;
  #runCount = 0;

  /** How many dots. */
  get count(): number {
    return this.#count;
  }

  get isEmpty(): boolean {
    return this.#count === 0;
  }

  /** How many runs: what a step over all of them costs. */
  get runCount(): number {
    return this.#runCount;
  }

  /** The counter of a dot; `undefined`: it is not in here. */
  counter(origin: Origin, sequence: number): number | undefined {
    const runs = this.#origins.get(origin.key)?.runs;
    const run = runs?.[lowerBound(runs, sequence)];
    return run !== undefined && run.first <= sequence ? run.counter : undefined;
  }

  /** Takes dots in, with counter 0, whatever it was before. */
  add(dots: Dots): void {
    for (const { origin, intervals } of dots) {
      let entry = this.#origins.get(origin.key);
      if (entry === undefined) {
        entry = { origin, runs: [] };
        this.#origins.set(origin.key, entry);
      }
      const before = entry.runs.length;
      if (intervals.length > FEW_BOUNDS && entry.runs.length > FEW_BOUNDS) this.#insertMany(entry, intervals);
      else
        for (let i = 0; i < intervals.length; i += 2)
          this.#insert(entry.runs, intervals[i] as number, intervals[i + 1] as number);
      this.#runCount += entry.runs.length - before;
    }
  }

  /** Takes one dot out. */
  remove(origin: Origin, sequence: number): void {
    const entry = this.#origins.get(origin.key);
    if (entry !== undefined) this.#change(entry, sequence, sequence, () => undefined);
  }

  /**
   * Gives each run that meets `dots`, cut at their bounds, the counter that `next` makes of its own.
   * @returns what `next` answered with `undefined`: it has been taken out
   */
  change(dots: Dots, next: (counter: number) => number | undefined): OriginDots[] {
    const removed: OriginDots[] = [];
    for (const { origin, intervals } of dots) {
      const entry = this.#origins.get(origin.key);
      if (entry === undefined) continue;
      const out: Intervals = [];
      if (intervals.length > FEW_BOUNDS) this.#changeMany(entry, intervals, next, out);
      else
        for (let i = 0; i < intervals.length; i += 2)
          this.#change(entry, intervals[i] as number, intervals[i + 1] as number, next, out);
      if (out.length > 0) removed.push({ origin, intervals: out, newest: 0 });
    }
    return removed;
  }

  /** All dots, as a copy. */
  dots(): OriginDots[] {
    const result: OriginDots[] = [];
    for (const { origin, runs } of this.#origins.values())
      result.push({ origin, intervals: intervalsOf(runs), newest: 0 });
    return result;
  }

  /** What of `dots` is in here. */
  common(dots: Dots): OriginDots[] {
    return this.#select(dots, intersect);
  }

  /** What of `dots` is not in here. */
  lacking(dots: Dots): OriginDots[] {
    return this.#select(dots, subtract);
  }

  #select(dots: Dots, part: typeof intersect): OriginDots[] {
    const result: OriginDots[] = [];
    for (const { origin, intervals, newest } of dots) {
      const selected = part(intervals, intervalsOf(this.#origins.get(origin.key)?.runs ?? []));
      if (selected.length > 0) result.push({ origin, intervals: selected, newest });
    }
    return result;
  }

  #insert(runs: Run[], first: number, last: number): void {
    const end = runs[runs.length - 1];
    if (end === undefined || first > end.last) {
      if (end !== undefined && end.counter === 0 && first === end.last + 1) end.last = last;
      else runs.push({ first, last, counter: 0 });
      this.#count += last - first + 1;
      return;
    }
    const from = lowerBound(runs, first);
    const pieces: Run[] = [];
    let to = from;
    let inserted = false;
    while (to < runs.length && (runs[to] as Run).first <= last) {
      const run = runs[to++] as Run;
      this.#count -= run.last - run.first + 1;
      if (run.first < first) pieces.push({ first: run.first, last: first - 1, counter: run.counter });
      if (run.last <= last) continue;
      pieces.push({ first, last, counter: 0 }, { first: last + 1, last: run.last, counter: run.counter });
      inserted = true;
    }
    if (!inserted) pieces.push({ first, last, counter: 0 });
    for (const piece of pieces) this.#count += piece.last - piece.first + 1;
    replace(runs, from, to, pieces);
  }

  /** As `#insert` for each interval, in one pass over all runs of the origin: one by one would cost a pass each. */
  #insertMany(entry: OriginRuns, intervals: ReadonlyIntervals): void {
    const merged: Run[] = [];
    let i = 0;
    let inserted = 0;
    /** Puts in the intervals that begin up to a number. */
    const insertUpTo = (limit: number): void => {
      for (; i < intervals.length && (intervals[i] as number) <= limit; i += 2) {
        inserted = intervals[i + 1] as number;
        append(merged, intervals[i] as number, inserted, 0);
        this.#count += inserted - (intervals[i] as number) + 1;
      }
    };
    for (const { first, last, counter } of entry.runs) {
      this.#count -= last - first + 1;
      // What of this run is left goes between the intervals that it meets.
      let from = first;
      while (from <= last) {
        insertUpTo(from);
        from = Math.max(from, inserted + 1);
        const to = Math.min(last, (intervals[i] ?? Infinity) - 1);
        if (from > to) continue;
        append(merged, from, to, counter);
        this.#count += to - from + 1;
        from = to + 1;
      }
    }
    insertUpTo(Infinity);
    entry.runs = merged;
  }

  #change(
    entry: OriginRuns,
    first: number,
    last: number,
    next: (counter: number) => number | undefined,
    out?: Intervals,
  ): void {
    const { runs } = entry;
    const from = lowerBound(runs, first);
    const pieces: Run[] = [];
    let to = from;
    while (to < runs.length && (runs[to] as Run).first <= last) {
      const run = runs[to++] as Run;
      const { counter } = run;
      const start = Math.max(run.first, first);
      const end = Math.min(run.last, last);
      if (run.first < start) pieces.push({ first: run.first, last: start - 1, counter });
      const changed = next(counter);
      if (changed !== undefined) {
        pieces.push({ first: start, last: end, counter: changed });
      } else {
        this.#count -= end - start + 1;
        if (out !== undefined) addInterval(out, start, end);
      }
      if (run.last > end) pieces.push({ first: end + 1, last: run.last, counter });
    }
    if (to === from) return;
    const before = runs.length;
    replace(runs, from, to, pieces);
    this.#runCount += runs.length - before;
    if (runs.length === 0) this.#origins.delete(entry.origin.key);
  }

  /** As `#change` for each interval, in one pass over all runs of the origin: one by one would cost a pass each. */
  #changeMany(
    entry: OriginRuns,
    intervals: ReadonlyIntervals,
    next: (counter: number) => number | undefined,
    out: Intervals,
  ): void {
    const changed: Run[] = [];
    let i = 0;
    for (const { first, last, counter } of entry.runs) {
      let from = first;
      while (from <= last) {
        while (i < intervals.length && (intervals[i + 1] as number) < from) i += 2;
        const start = i < intervals.length ? Math.max(from, intervals[i] as number) : Infinity;
        if (start > last) {
          append(changed, from, last, counter);
          break;
        }
        if (start > from) append(changed, from, start - 1, counter);
        const end = Math.min(last, intervals[i + 1] as number);
        const nextCounter = next(counter);
        if (nextCounter !== undefined) append(changed, start, end, nextCounter);
        else {
          this.#count -= end - start + 1;
          addInterval(out, start, end);
        }
        from = end + 1;
      }
    }
    this.#runCount += changed.length - entry.runs.length;
    if (changed.length > 0) entry.runs = changed;
    else this.#origins.delete(entry.origin.key);
  }
}

/** Puts a run behind those that are there, as a part of the last where it continues it. */
function append(runs: Run[], first: number, last: number, counter: number): void {
  const end = runs[runs.length - 1];
  if (end !== undefined && end.last + 1 === first && end.counter === counter) end.last = last;
  else runs.push({ first, last, counter });
}

/** Index of the first run that ends at `sequence` or later. */
function lowerBound(runs: readonly Run[], sequence: number): number {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((runs[middle] as Run).last < sequence) low = middle + 1;
    else high = middle;
  }
  return low;
}

function intervalsOf(runs: readonly Run[]): Intervals {
  const intervals: Intervals = [];
  for (const { first, last } of runs) addInterval(intervals, first, last);
  return intervals;
}

/** Puts `pieces` where the runs `from` to before `to` were, and merges what touches and is equal. */
function replace(runs: Run[], from: number, to: number, pieces: readonly Run[]): void {
  const left = from === 0 ? from : from - 1;
  const right = to === runs.length ? to : to + 1;
  const merged: Run[] = [];
  for (const run of [...runs.slice(left, from), ...pieces, ...runs.slice(to, right)]) {
    const before = merged[merged.length - 1];
    if (before !== undefined && before.last + 1 === run.first && before.counter === run.counter)
      merged[merged.length - 1] = { first: before.first, last: run.last, counter: run.counter };
    else merged.push(run);
  }
  if (merged.length <= SPLICE_LIMIT) {
    runs.splice(left, right - left, ...merged);
    return;
  }
  const rest = runs.slice(right);
  runs.length = left;
  for (const run of merged) runs.push(run);
  for (const run of rest) runs.push(run);
}
