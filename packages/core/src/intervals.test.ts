import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import {
  addInterval,
  countNumbers,
  hasNumber,
  includesAll,
  type Intervals,
  intersect,
  type ReadonlyIntervals,
  removeInterval,
  subtract,
} from './intervals.ts';

const LIMIT = 60;

const ranges = fc
  .tuple(fc.integer({ min: 1, max: LIMIT }), fc.integer({ min: 0, max: 12 }))
  .map(([first, more]) => [first, first + more] as const);

const steps = fc.array(fc.record({ add: fc.boolean(), range: ranges }), { maxLength: 30 });

/** Steps taken by both the intervals and a set that cannot be wrong. */
function built(taken: readonly { add: boolean; range: readonly [number, number] }[]): {
  intervals: Intervals;
  model: Set<number>;
} {
  const intervals: Intervals = [];
  const model = new Set<number>();
  for (const { add, range } of taken) {
    const [first, last] = range;
    if (add) addInterval(intervals, first, last);
    else removeInterval(intervals, first, last);
    for (let n = first; n <= last; n++) {
      if (add) model.add(n);
      else model.delete(n);
    }
  }
  return { intervals, model };
}

function numbersOf(intervals: ReadonlyIntervals): number[] {
  const numbers: number[] = [];
  for (let i = 0; i < intervals.length; i += 2)
    for (let n = intervals[i] as number; n <= (intervals[i + 1] as number); n++) numbers.push(n);
  return numbers;
}

const sorted = (model: Iterable<number>): number[] => [...model].sort((a, b) => a - b);

function expectMaximal(intervals: ReadonlyIntervals): void {
  const faults = intervals.filter((bound, i) => {
    if (i === 0) return false;
    const former = intervals[i - 1] as number;
    return i % 2 === 1 ? bound < former : bound <= former + 1;
  });
  expect(faults).toEqual([]);
}

describe('intervals', () => {
  test('hold what a set would hold, whatever is added and removed, and stay maximal', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const { intervals, model } = built(taken);
        expect(numbersOf(intervals)).toEqual(sorted(model));
        expectMaximal(intervals);
        expect(countNumbers(intervals)).toBe(model.size);
        const candidates = Array.from({ length: LIMIT + 15 }, (_, n) => n);
        expect(candidates.filter((n) => hasNumber(intervals, n))).toEqual(sorted(model));
      }),
      { numRuns: 500 },
    );
  });

  test('subtract and intersect as sets do, into new maximal sets', () => {
    fc.assert(
      fc.property(steps, steps, (one, other) => {
        const a = built(one);
        const b = built(other);
        const [left, right] = [a.intervals.slice(), b.intervals.slice()];
        const without = subtract(a.intervals, b.intervals);
        const both = intersect(a.intervals, b.intervals);
        expect(numbersOf(without)).toEqual(sorted([...a.model].filter((n) => !b.model.has(n))));
        expect(numbersOf(both)).toEqual(sorted([...a.model].filter((n) => b.model.has(n))));
        expectMaximal(without);
        expectMaximal(both);
        expect(a.intervals).toEqual(left);
        expect(b.intervals).toEqual(right);
        expect(includesAll(a.intervals, b.intervals)).toBe([...b.model].every((n) => a.model.has(n)));
      }),
      { numRuns: 1000 },
    );
  });

  test('of a large set are found in the logarithm of its size, from both ends of it', () => {
    const large = Array.from({ length: 200_000 }, (_, i) => 4 + 4 * (i >>> 1));
    let read = 0;
    const watched = new Proxy(large, {
      get(target, key): unknown {
        if (typeof key === 'string' && /^\d+$/.test(key)) read++;
        return Reflect.get(target, key);
      },
    });
    const small = [4, 4, 6, 6, 200_000, 200_000, 399_998, 400_000];
    expect(includesAll(watched, [4, 4, 200_000, 200_000, 400_000, 400_000])).toBe(true);
    expect(includesAll(watched, small)).toBe(false);
    expect(subtract(small, watched)).toEqual([6, 6, 399_998, 399_999]);
    expect(intersect(small, watched)).toEqual([4, 4, 200_000, 200_000, 400_000, 400_000]);
    expect(intersect(watched, small)).toEqual([4, 4, 200_000, 200_000, 400_000, 400_000]);
    expect(read).toBeLessThan(5 * small.length * 2 * Math.log2(large.length));
  });

  test('that grow at their end stay one interval', () => {
    const intervals: Intervals = [];
    for (let n = 1; n <= 1000; n++) addInterval(intervals, n, n);
    expect(intervals).toEqual([1, 1000]);
  });
});
