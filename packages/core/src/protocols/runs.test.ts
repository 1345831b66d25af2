import { describe, expect, jest, test } from '@jest/globals';
import * as fc from 'fast-check';
import type { Dots } from '../context.ts';
import { countNumbers } from '../intervals.ts';
import { Origin } from '../origin.ts';
import { Runs } from './runs.ts';

const a = new Origin('a', 1);
const b = new Origin('b', 1);

function dots(origin: Origin, ...intervals: number[]): Dots {
  return [{ origin, intervals, newest: 0 }];
}

function countersOf(runs: Runs, origin: Origin, last: number): (number | undefined)[] {
  return Array.from({ length: last }, (_, i) => runs.counter(origin, i + 1));
}

describe('runs', () => {
  test('a burst of one origin is one run, however it comes', () => {
    const runs = new Runs();
    for (let i = 0; i < 50; i++) runs.add(dots(a, i * 2000 + 1, (i + 1) * 2000));
    expect([runs.count, runs.runCount]).toEqual([100_000, 1]);
  });

  test('a change splits runs only at its bounds, and equal neighbours merge again', () => {
    const runs = new Runs();
    runs.add(dots(a, 1, 100_000));
    runs.change(dots(a, 10, 20), (counter) => counter + 1);
    expect(runs.runCount).toBe(3);
    runs.change(dots(a, 1, 9, 21, 100_000), (counter) => counter + 1);
    expect(runs.runCount).toBe(1);
    expect(runs.counter(a, 15)).toBe(1);
  });

  test('a change asks once per run, not once per dot', () => {
    const runs = new Runs();
    runs.add(dots(a, 1, 100_000));
    let asked = 0;
    runs.change(dots(a, 1, 100_000), (counter) => {
      asked++;
      return counter + 1;
    });
    expect(asked).toBe(1);
  });

  test('what a change takes out is returned, and what was not in is not', () => {
    const runs = new Runs();
    runs.add(dots(a, 5, 10));
    expect(runs.change([...dots(a, 1, 7), ...dots(b, 1, 7)], () => undefined)).toEqual(dots(a, 5, 7));
    expect(runs.dots()).toEqual(dots(a, 8, 10));
  });

  test('an origin without dots is forgotten', () => {
    const runs = new Runs();
    runs.add(dots(a, 1, 2));
    runs.remove(a, 1);
    runs.remove(a, 2);
    expect([runs.isEmpty, runs.dots()]).toEqual([true, []]);
  });

  test('many thousand pieces are changed at once', () => {
    const runs = new Runs();
    runs.add(dots(a, 1, 400_000));
    const every = Array.from({ length: 200_000 }, (_, i) => [2 * i + 1, 2 * i + 1]).flat();
    runs.change(dots(a, 1, 1), () => 1);
    for (let i = 0; i < 4000; i++) runs.change(dots(a, every[2 * i] as number, every[2 * i] as number), () => 1);
    expect(runs.change(dots(a, 1, 400_000), (counter) => counter + 1)).toEqual([]);
    expect(runs.runCount).toBe(8000);
  });

  test('a set of very many intervals is changed in one pass', () => {
    const runs = new Runs();
    runs.add(dots(a, 1, 600_000));
    const every = Array.from({ length: 300_000 }, (_, i) => [2 * i + 1, 2 * i + 1]).flat();
    expect(runs.change([{ origin: a, intervals: every, newest: 0 }], (counter) => counter + 1)).toEqual([]);
    expect([runs.count, runs.runCount]).toEqual([600_000, 600_000]);
    expect(runs.change([{ origin: a, intervals: every, newest: 0 }], (counter) => counter - 1)).toEqual([]);
    expect([runs.count, runs.runCount]).toEqual([600_000, 1]);
    const [out] = runs.change([{ origin: a, intervals: every, newest: 0 }], () => undefined);
    expect(out?.intervals).toEqual(every);
    expect(runs.count).toBe(300_000);
  });

  test('many intervals are changed as one after the other', () => {
    const size = 200;
    const part = fc.record({ gap: fc.integer({ min: 1, max: 3 }), length: fc.integer({ min: 1, max: 3 }) });
    const set = fc.array(part, { minLength: 33, maxLength: 60 }).map((parts) => {
      const intervals: number[] = [];
      for (const { gap, length } of parts) {
        const end = intervals.at(-1) ?? 0;
        intervals.push(end + gap + 1, end + gap + length);
      }
      return intervals;
    });
    const up = (counter: number): number | undefined => (counter < 2 ? counter + 1 : undefined);
    const sizeOf = (sets: Dots): number => sets.reduce((sum, { intervals }) => sum + countNumbers(intervals), 0);
    fc.assert(
      fc.property(fc.array(set, { minLength: 1, maxLength: 4 }), (sets) => {
        const [many, single] = [new Runs(), new Runs()];
        for (const runs of [many, single]) runs.add(dots(a, 5, size - 5));
        for (const intervals of sets) {
          const out = sizeOf(many.change(dots(a, ...intervals), up));
          let outOfSingle = 0;
          for (let i = 0; i < intervals.length; i += 2)
            outOfSingle += sizeOf(single.change(dots(a, ...intervals.slice(i, i + 2)), up));
          expect(out).toBe(outOfSingle);
          expect(countersOf(many, a, size)).toEqual(countersOf(single, a, size));
          expect([many.count, many.runCount]).toEqual([single.count, single.runCount]);
        }
      }),
    );
  });

  test('many intervals are taken in as one after the other, whatever was there', () => {
    const size = 400;
    const part = fc.record({ gap: fc.integer({ min: 1, max: 3 }), length: fc.integer({ min: 1, max: 3 }) });
    const set = fc.array(part, { minLength: 34, maxLength: 70 }).map((parts) => {
      const intervals: number[] = [];
      for (const { gap, length } of parts) {
        const end = intervals.at(-1) ?? 0;
        intervals.push(end + gap + 1, end + gap + length);
      }
      return intervals;
    });
    fc.assert(
      fc.property(fc.array(set, { minLength: 2, maxLength: 4 }), (sets) => {
        const [many, single] = [new Runs(), new Runs()];
        // Every third dot has a counter of its own, so that there are many runs.
        for (const runs of [many, single])
          for (let dot = 3; dot < size; dot += 3) {
            runs.add(dots(a, dot, dot));
            runs.change(dots(a, dot, dot), () => 1 + (dot % 2));
          }
        for (const intervals of sets) {
          many.add(dots(a, ...intervals));
          for (let i = 0; i < intervals.length; i += 2) single.add(dots(a, ...intervals.slice(i, i + 2)));
          expect(countersOf(many, a, size)).toEqual(countersOf(single, a, size));
          expect([many.count, many.runCount]).toEqual([single.count, single.runCount]);
        }
      }),
    );
  });

  test('many intervals between very many runs move each of them once', () => {
    const runs = new Runs();
    runs.add([{ origin: a, newest: 0, intervals: Array.from({ length: 40_000 }, (_, i) => 4 + 4 * (i >>> 1)) }]);
    const splice = jest.spyOn(Array.prototype, 'splice');
    try {
      runs.add([{ origin: a, newest: 0, intervals: Array.from({ length: 2000 }, (_, i) => 6 + 4 * (i >>> 1)) }]);
      expect(splice).not.toHaveBeenCalled();
    } finally {
      splice.mockRestore();
    }
    expect([runs.count, runs.runCount]).toEqual([21_000, 21_000]);
  });

  test('runs are as a map from every dot to its counter', () => {
    const size = 24;
    const interval = fc.tuple(fc.integer({ min: 1, max: size }), fc.integer({ min: 0, max: 8 }));
    const step = fc.tuple(fc.constantFrom('add', 'up', 'reset', 'out', 'remove'), interval);
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const runs = new Runs();
        const model = new Map<number, number>();
        for (const [what, [first, length]] of steps) {
          const last = Math.min(size, first + length);
          if (what === 'add') runs.add(dots(a, first, last));
          if (what === 'up') runs.change(dots(a, first, last), (counter) => (counter < 2 ? counter + 1 : undefined));
          if (what === 'reset') runs.change(dots(a, first, last), () => 0);
          if (what === 'out') runs.change(dots(a, first, last), () => undefined);
          if (what === 'remove') runs.remove(a, first);
          for (let dot = first; dot <= (what === 'remove' ? first : last); dot++) {
            const counter = model.get(dot);
            if (what === 'add') model.set(dot, 0);
            else if (counter === undefined) continue;
            else if (what === 'up' && counter < 2) model.set(dot, counter + 1);
            else if (what === 'reset') model.set(dot, 0);
            else model.delete(dot);
          }
        }
        expect(countersOf(runs, a, size)).toEqual(Array.from({ length: size }, (_, i) => model.get(i + 1)));
        expect(runs.count).toBe(model.size);
        const present = [...model.keys()];
        const bounds = present.filter((dot) => model.get(dot - 1) !== model.get(dot)).length;
        expect(runs.runCount).toBe(bounds);
      }),
      { numRuns: 500 },
    );
  });
});
