/**
 * The context of a replica: per origin, the set of dots it has seen, as maximal intervals. It is what a digest carries.
 *
 * Invariants
 *  1. A dot in it was stored here and is, or was superseded, removed or expired (docs/algorithm.md, rule 2): only the replica adds.
 *  2. `sum` is the sum of h(origin, first, last) over its intervals, and `bucketSums` the same per bucket of origins;
 *     equal contexts have equal sums. Both move in O(1) where an origin grows at its end, and only when they are read.
 *  3. Of an origin with very many intervals, those that come between them are put there together: when they are read, or are many.
 *     So none of them moves the memory of all others by itself.
 *
 * Source: dotted version vectors (Preguiça et al. 2010) and interval version vectors (Almeida et al., "Scalable and
 * Accurate Causality Tracking for Eventually Consistent Stores", 2014), compared by buckets as Merkle leaves.
 */

import { addTerm, emptySum, hashInterval, LANES, type Sum } from './hash.ts';
import {
  addInterval,
  countNumbers,
  hasNumber,
  includesAll,
  type Intervals,
  intersect,
  isFree,
  lowerBound,
  type ReadonlyIntervals,
  removeInterval,
  subtract,
  unite,
} from './intervals.ts';
import type { Stamp } from './hlc.ts';
import type { Origin } from './origin.ts';

export const CONTEXT_BUCKETS = 256;
/** So many intervals take about as much memory as an origin does, with its name. */
const INTERVALS_OF_ORIGIN = 16;
/** Up to so many bounds are added, or taken out, one interval after the other. */
const FEW_BOUNDS = 32;
/** To move up to so many bounds, those behind an interval, costs about what it costs to find its place. */
const MOVED_BOUNDS = 4096;
/** So many scattered bounds are worth a pass over all of their origin. */
const MOST_SCATTERED = 2048;

/** Dots of one origin. */
export interface OriginDots {
  readonly origin: Origin;
  readonly intervals: ReadonlyIntervals;
  /** The newest stamp known of the origin; 0 where it does not matter. */
  readonly newest: Stamp;
}

/** A set of dots, an entry per origin. */
export type Dots = readonly OriginDots[];

/** Which buckets of origins a message speaks of: a list of bucket numbers, or all of them. */
export type Buckets = readonly number[] | 'all';

/** What is known of one origin. Its intervals change only through its context. */
export class Seen implements OriginDots {
  readonly origin: Origin;
  readonly #context: Context;
  /** Its intervals, but for those that are scattered. */
  settled: Intervals = [];
  /** Intervals that came between those that are settled, and have none of their numbers; `null`: none have. */
  scattered: Intervals | null = null;
  /** The newest stamp of its writes, and of what superseded them. */
  newest: Stamp = 0;
  /** The last number of the last interval as the sums have it, where they are behind; -1: they are not. */
  summedEnd: number = -1;
  /** Whether its context has noted that the sums may be behind. */
  isBehind: boolean = false;

  constructor(origin: Origin, context: Context) {
    this.origin = origin;
    this.#context = context;
  }

  get intervals(): ReadonlyIntervals {
    if (this.scattered !== null) this.#context.settle(this);
    return this.settled;
  }

  has(sequence: number): boolean {
    if (hasNumber(this.settled, sequence)) return true;
    return this.scattered !== null && hasNumber(this.scattered, sequence);
  }

  /** Those of other intervals that are not in here, as a new set. */
  lacked(intervals: ReadonlyIntervals): Intervals {
    const lacked = subtract(intervals, this.settled);
    return this.scattered === null ? lacked : subtract(lacked, this.scattered);
  }

  /** Those that are in here too, as a new set. */
  shared(intervals: ReadonlyIntervals): Intervals {
    const shared = intersect(intervals, this.settled);
    return this.scattered === null ? shared : unite(shared, intersect(intervals, this.scattered));
  }
}

export function bucketOf(origin: Origin): number {
  return (origin.seeds[0] as number) & (CONTEXT_BUCKETS - 1);
}

/** What has been added to a context since some moment: cheap to note, and made a set only where somebody asks. */
export class Journal {
  readonly #origins: Origin[] = [];
  /** `[first, last]` of each note, beside its origin. */
  readonly #bounds: number[] = [];

  get isEmpty(): boolean {
    return this.#origins.length === 0;
  }

  note(origin: Origin, first: number, last: number): void {
    const end = this.#bounds.length - 1;
    if (this.#origins[this.#origins.length - 1] === origin && this.#bounds[end] === first - 1) {
      this.#bounds[end] = last;
      return;
    }
    this.#origins.push(origin);
    this.#bounds.push(first, last);
  }

  /** What of `dots` has not been noted. */
  lacking(dots: Dots): Dots {
    if (this.#origins.length === 0 || dots.length === 0) return dots;
    const noted = new Context();
    for (const [i, origin] of this.#origins.entries())
      noted.add(origin, this.#bounds[2 * i] as number, this.#bounds[2 * i + 1]);
    return noted.lacking(dots);
  }
}

export class Context {
  readonly #origins = new Map<string, Seen>();
  /** Made when first asked for: most sets of dots are compared by no sum, and then need no seeds of their origins. */
  #sum: Sum | null = null;
  /** Origins that have grown at their end, or have scattered intervals, since they were summed up. */
  readonly #behind: Seen[] = [];
  /** Of all intervals together. */
  #bounds = 0;
  /** Lanes side by side: those of bucket b from 4b. Made when first asked for. */
  #bucketSums: Int32Array | null = null;
  /** Grows with every change: equal numbers at two times, equal contexts. */
  version: number = 0;
  /** Is told of every dot that is added here; `null` for none. */
  journal: Journal | null = null;

  static of(dots: Dots): Context {
    const context = new Context();
    context.addAll(dots);
    return context;
  }

  /** How many origins. */
  get size(): number {
    return this.#origins.size;
  }

  /** How many intervals, of all origins together. */
  get intervalCount(): number {
    return this.#bounds / 2;
  }

  /** The memory that it takes, in intervals: what bounds a set of dots that others can make grow. */
  get room(): number {
    return this.intervalCount + INTERVALS_OF_ORIGIN * this.size;
  }

  get sum(): Readonly<Sum> {
    this.#sumUpBehind();
    if (this.#sum === null) {
      this.#sum = emptySum();
      for (const { origin, intervals } of this.#origins.values()) addTerms(this.#sum, 0, origin, intervals, 1);
    }
    return this.#sum;
  }

  get bucketSums(): Int32Array {
    this.#sumUpBehind();
    if (this.#bucketSums === null) {
      this.#bucketSums = new Int32Array(LANES * CONTEXT_BUCKETS);
      for (const { origin, intervals } of this.#origins.values())
        addTerms(this.#bucketSums, bucketOf(origin), origin, intervals, 1);
    }
    return this.#bucketSums;
  }

  /** The record of an origin, made where there is none: also the one object that stands for this origin here. */
  seen(origin: Origin): Seen {
    let seen = this.#origins.get(origin.key);
    if (seen === undefined) {
      seen = new Seen(origin, this);
      this.#origins.set(origin.key, seen);
    }
    return seen;
  }

  find(origin: Origin): Seen | undefined {
    return this.#origins.get(origin.key);
  }

  has(origin: Origin, sequence: number): boolean {
    const seen = this.#origins.get(origin.key);
    return seen !== undefined && seen.has(sequence);
  }

  add(origin: Origin, first: number, last: number = first): void {
    this.extend(this.seen(origin), first, last);
  }

  /** As `add`, for who holds the origin's record already. */
  extend(seen: Seen, first: number, last: number): void {
    const { settled } = seen;
    const length = settled.length;
    const end = length === 0 ? 0 : (settled[length - 1] as number);
    this.journal?.note(seen.origin, first, last);
    this.version++;
    if (length > 0 && first <= end + 1 && first >= (settled[length - 2] as number)) {
      if (last <= end) return;
      if (seen.summedEnd === -1) {
        seen.summedEnd = end;
        this.#noteBehind(seen);
      }
      settled[length - 1] = last;
      return;
    }
    const isFar = length > MOVED_BOUNDS && first < (settled[length - MOVED_BOUNDS] as number);
    if (isFar && isBetween(seen, first, last)) return this.#scatter(seen, first, last);
    if (seen.scattered !== null && !isFree(seen.scattered, first - 1, last + 1)) this.settle(seen);
    this.#insert(seen, first, last);
  }

  /** Keeps aside what has none of the numbers of an origin. */
  #scatter(seen: Seen, first: number, last: number): void {
    // It makes one of those that it touches.
    this.#bounds += 2 - (seen.has(first - 1) ? 2 : 0) - (seen.has(last + 1) ? 2 : 0);
    this.#noteBehind(seen);
    const scattered = (seen.scattered ??= []);
    addInterval(scattered, first, last);
    if (scattered.length >= MOST_SCATTERED) this.settle(seen);
  }

  /** Puts what is scattered in its place. For `Seen`. */
  settle(seen: Seen): void {
    const { scattered } = seen;
    if (scattered === null) return;
    seen.scattered = null;
    // These are counted.
    const bounds = this.#bounds;
    if (scattered.length > FEW_BOUNDS) {
      const { settled } = seen;
      // What is before the first of them stays as it is.
      const from = lowerBound(settled, (scattered[0] as number) - 1);
      this.#become(seen, settled.slice(0, from).concat(unite(settled.slice(from), scattered)), from);
    } else
      for (let i = 0; i < scattered.length; i += 2)
        this.#insert(seen, scattered[i] as number, scattered[i + 1] as number);
    this.#bounds = bounds;
  }

  /** Puts an interval where it belongs. Only the intervals that it meets change, and become one. */
  #insert(seen: Seen, first: number, last: number): void {
    this.#sumUpEnd(seen);
    const { settled } = seen;
    const { length } = settled;
    const from = length === 0 || first > (settled[length - 1] as number) + 1 ? length : lowerBound(settled, first - 1);
    let to = from;
    while (to < length && (settled[to] as number) <= last + 1) to += 2;
    this.#sumUp(seen, from, to, -1);
    addInterval(settled, first, last);
    this.#bounds += settled.length - length;
    this.#sumUp(seen, from, from + 2, 1);
  }

  addAll(dots: Dots): void {
    for (const { origin, intervals, newest } of dots) {
      if (intervals.length === 0) continue;
      const seen = this.seen(origin);
      if (intervals.length > FEW_BOUNDS) this.#replace(seen, unite(seen.intervals, intervals), intervals);
      else
        for (let i = 0; i < intervals.length; i += 2)
          this.extend(seen, intervals[i] as number, intervals[i + 1] as number);
      if (newest > seen.newest) seen.newest = newest;
    }
  }

  /** Takes dots out. For sets of dots that are no promise: what is asked for, refused or under judgement. */
  remove(origin: Origin, first: number, last: number = first): void {
    const seen = this.#origins.get(origin.key);
    if (seen === undefined) return;
    this.settle(seen);
    this.#sumUpEnd(seen);
    this.version++;
    // Only the intervals that this one meets change: none, one or two of what they were are left.
    const { settled } = seen;
    const { length } = settled;
    const from = lowerBound(settled, first);
    let to = from;
    while (to < length && (settled[to] as number) <= last) to += 2;
    this.#sumUp(seen, from, to, -1);
    removeInterval(settled, first, last);
    const change = settled.length - length;
    this.#bounds += change;
    this.#sumUp(seen, from, to + change, 1);
    if (settled.length === 0) this.#origins.delete(origin.key);
  }

  removeAll(dots: Dots): void {
    for (const { origin, intervals } of dots) {
      const seen = this.#origins.get(origin.key);
      if (seen === undefined) continue;
      if (intervals.length > FEW_BOUNDS) {
        this.#replace(seen, subtract(seen.intervals, intervals), []);
        if (seen.settled.length === 0) this.#origins.delete(origin.key);
      } else
        for (let i = 0; i < intervals.length; i += 2) this.remove(origin, intervals[i] as number, intervals[i + 1]);
    }
  }

  /** Changes many intervals of an origin at once: one pass, where one by one would cost a pass each. */
  #replace(seen: Seen, next: Intervals, added: ReadonlyIntervals): void {
    this.version++;
    this.#become(seen, next);
    if (this.journal === null) return;
    for (let i = 0; i < added.length; i += 2)
      this.journal.note(seen.origin, added[i] as number, added[i + 1] as number);
  }

  /** Gives an origin of which nothing is scattered these intervals, and counts and sums up those that differ. @param from where the first is that may */
  #become(seen: Seen, next: Intervals, from: number = 0): void {
    this.#sumUpEnd(seen);
    const former = seen.settled;
    this.#bounds += next.length - former.length;
    this.#sumUpBeside(seen, next, from, -1);
    seen.settled = next;
    this.#sumUpBeside(seen, former, from, 1);
  }

  /** Drops an origin altogether (docs/algorithm.md, rule 9). */
  forget(origin: Origin): void {
    const seen = this.#origins.get(origin.key);
    if (seen === undefined) return;
    this.settle(seen);
    this.#sumUpEnd(seen);
    this.#sumUp(seen, 0, seen.settled.length, -1);
    this.version++;
    this.#bounds -= seen.settled.length;
    this.#origins.delete(origin.key);
  }

  /** What of `dots` is not in here. */
  lacking(dots: Dots): Dots {
    if (this.#origins.size === 0 && dots.every(({ intervals }) => intervals.length > 0)) return dots;
    const result: OriginDots[] = [];
    for (const entry of dots) {
      const { origin, intervals, newest } = entry;
      if (intervals.length === 0) continue;
      const seen = this.#origins.get(origin.key);
      if (seen === undefined) result.push({ origin, intervals, newest });
      // Most of what two replicas compare is the same: nothing is made for that.
      else if (!includesAll(seen.settled, intervals)) {
        const lacked = seen.lacked(intervals);
        if (lacked.length > 0) result.push({ origin, intervals: lacked, newest });
      }
    }
    return result;
  }

  /** What of `dots` is in here. */
  common(dots: Dots): OriginDots[] {
    const result: OriginDots[] = [];
    if (this.#origins.size === 0) return result;
    for (const { origin, intervals, newest } of dots) {
      const seen = this.#origins.get(origin.key);
      if (seen === undefined || intervals.length === 0) continue;
      const common = includesAll(seen.settled, intervals) ? intervals : seen.shared(intervals);
      if (common.length > 0) result.push({ origin, intervals: common, newest });
    }
    return result;
  }

  covers(dots: Dots): boolean {
    for (const { origin, intervals } of dots) {
      if (intervals.length === 0) continue;
      const seen = this.#origins.get(origin.key);
      if (seen === undefined) return false;
      if (!includesAll(seen.settled, intervals) && seen.lacked(intervals).length > 0) return false;
    }
    return true;
  }

  /** The dots of the named buckets, as a copy that later changes here do not touch. */
  dots(buckets: Buckets = 'all'): OriginDots[] {
    const chosen = buckets === 'all' ? null : new Set(buckets);
    const result: OriginDots[] = [];
    for (const { origin, intervals, newest } of this.#origins.values()) {
      if (intervals.length === 0) continue;
      if (chosen === null || chosen.has(bucketOf(origin)))
        result.push({ origin, intervals: intervals.slice(), newest });
    }
    return result;
  }

  /** As `sumOf`. Seeds of origins that are known here are not made anew. */
  sumOf(dots: Dots): Sum {
    const sum = emptySum();
    for (const { origin, intervals } of dots)
      addTerms(sum, 0, this.#origins.get(origin.key)?.origin ?? origin, intervals, 1);
    return sum;
  }

  /** The records themselves, for reading. */
  origins(): IterableIterator<Readonly<Seen>> {
    return this.#origins.values();
  }

  get isEmpty(): boolean {
    if (this.#origins.size === 0) return true;
    for (const seen of this.#origins.values()) if (seen.settled.length > 0) return false;
    return true;
  }

  #noteBehind(seen: Seen): void {
    if (seen.isBehind) return;
    seen.isBehind = true;
    this.#behind.push(seen);
  }

  /** Brings the sums up to date. */
  #sumUpBehind(): void {
    if (this.#behind.length === 0) return;
    for (const seen of this.#behind) {
      seen.isBehind = false;
      if (seen.scattered !== null) this.settle(seen);
      this.#sumUpEnd(seen);
    }
    this.#behind.length = 0;
  }

  /** Brings the sums up to date with an origin that has grown at its end. */
  #sumUpEnd(seen: Seen): void {
    if (seen.summedEnd === -1) return;
    const { settled } = seen;
    const length = settled.length;
    const end = settled[length - 1] as number;
    settled[length - 1] = seen.summedEnd;
    this.#sumUp(seen, length - 2, length, -1);
    settled[length - 1] = end;
    this.#sumUp(seen, length - 2, length, 1);
    seen.summedEnd = -1;
  }

  /** Of those that are settled, from one on, sums up the intervals that `others` do not have as they are. */
  #sumUpBeside(seen: Seen, others: ReadonlyIntervals, from: number, sign: 1 | -1): void {
    if (this.#sum === null && this.#bucketSums === null) return;
    const { settled } = seen;
    let j = from;
    for (let i = from; i < settled.length; i += 2) {
      const first = settled[i] as number;
      while (j < others.length && (others[j] as number) < first) j += 2;
      const isShared = j < others.length && others[j] === first && others[j + 1] === settled[i + 1];
      if (!isShared) this.#sumUp(seen, i, i + 2, sign);
    }
  }

  #sumUp({ origin, settled }: Seen, from: number, to: number, sign: 1 | -1): void {
    if (this.#sum !== null) addTerms(this.#sum, 0, origin, settled, sign, from, to);
    if (this.#bucketSums !== null) addTerms(this.#bucketSums, bucketOf(origin), origin, settled, sign, from, to);
  }
}

/** Whether an origin has none of these numbers. */
function isBetween({ settled, scattered }: Seen, first: number, last: number): boolean {
  if (!isFree(settled, first, last)) return false;
  return scattered === null || isFree(scattered, first, last);
}

/** Adds the terms of intervals, of which there are `to - from` bounds, to the sum of a bucket, or takes them out. */
function addTerms(
  sums: Int32Array,
  bucket: number,
  origin: Origin,
  intervals: ReadonlyIntervals,
  sign: 1 | -1,
  from: number = 0,
  to: number = intervals.length,
): void {
  for (let i = from; i < to; i += 2)
    addTerm(sums, bucket, hashInterval(origin.seeds, intervals[i] as number, intervals[i + 1] as number), sign);
}

/** As `room` of a context of these dots. */
export function roomOf(dots: Dots): number {
  let room = INTERVALS_OF_ORIGIN * dots.length;
  for (const { intervals } of dots) room += intervals.length / 2;
  return room;
}

/** The sum of a context of these dots. */
export function sumOf(dots: Dots): Sum {
  const sum = emptySum();
  for (const { origin, intervals } of dots) addTerms(sum, 0, origin, intervals, 1);
  return sum;
}

/** The sum of a context without these dots, in the time that the origins of the dots take. */
export function sumWithout(context: Context, dots: Dots): Sum {
  const sum = context.sum.slice();
  for (const { origin, intervals } of dots) {
    const seen = context.find(origin);
    if (seen === undefined) continue;
    addTerm(sum, 0, sumOf([seen]), -1);
    addTerm(sum, 0, sumOf([{ origin, newest: 0, intervals: subtract(seen.intervals, intervals) }]), 1);
  }
  return sum;
}

/** How many dots a set has. */
export function countDots(dots: Dots): number {
  let count = 0;
  for (const { intervals } of dots) count += countNumbers(intervals);
  return count;
}
