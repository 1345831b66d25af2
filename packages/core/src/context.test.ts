import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { bucketOf, Context, CONTEXT_BUCKETS, countDots, type Dots, Journal, sumOf } from './context.ts';
import { addTerm, emptySum, hashInterval, LANES } from './hash.ts';
import { Origin } from './origin.ts';

const origins = Array.from({ length: 6 }, (_, i) => new Origin(`node-${i % 4}`, 1000 + i));

const ranges = fc.record({
  origin: fc.constantFrom(...origins),
  first: fc.integer({ min: 1, max: 40 }),
  more: fc.integer({ min: 0, max: 8 }),
});
const steps = fc.array(
  fc.record({ step: fc.constantFrom('add', 'add', 'add', 'remove', 'forget', 'sums'), range: ranges }),
  { maxLength: 40 },
);

type Step = { step: string; range: { origin: Origin; first: number; more: number } };

/** Takes the steps on a context and on sets that cannot be wrong. */
function built(taken: readonly Step[]): { context: Context; model: Map<string, Set<number>> } {
  const context = new Context();
  const model = new Map<string, Set<number>>(origins.map(({ key }) => [key, new Set()]));
  for (const { step, range } of taken) {
    const { origin, first, more } = range;
    const last = first + more;
    const numbers = model.get(origin.key) as Set<number>;
    if (step === 'forget') {
      context.forget(origin);
      numbers.clear();
    } else if (step === 'sums') {
      // From its first reading on the table of buckets moves with every step.
      void context.bucketSums;
    } else if (step === 'add') {
      context.add(new Origin(origin.name, origin.epoch), first, last);
      for (let n = first; n <= last; n++) numbers.add(n);
    } else {
      context.remove(origin, first, last);
      for (let n = first; n <= last; n++) numbers.delete(n);
    }
  }
  return { context, model };
}

function dotsIn(dots: Dots): Set<string> {
  const set = new Set<string>();
  for (const { origin, intervals } of dots)
    for (let i = 0; i < intervals.length; i += 2)
      for (let n = intervals[i] as number; n <= (intervals[i + 1] as number); n++) set.add(`${n}.${origin.key}`);
  return set;
}

const modelDots = (model: Map<string, Set<number>>): Set<string> =>
  new Set([...model].flatMap(([key, numbers]) => [...numbers].map((n) => `${n}.${key}`)));

describe('a context', () => {
  test('has the sum of its dots', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const { context } = built(taken);
        expect(sumOf(context.dots())).toEqual(context.sum);
      }),
    );
  });

  test('holds what sets would hold', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const { context, model } = built(taken);
        expect(dotsIn(context.dots())).toEqual(modelDots(model));
        expect(countDots(context.dots())).toBe(modelDots(model).size);
        expect(context.isEmpty).toBe(modelDots(model).size === 0);
        const candidates = Array.from({ length: 51 }, (_, n) => n);
        for (const origin of origins)
          expect(candidates.filter((n) => context.has(origin, n))).toEqual(
            candidates.filter((n) => model.get(origin.key)?.has(n)),
          );
      }),
    );
  });

  test('has the sums that recomputing gives, in total and by bucket, after whatever order of steps', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const { context } = built(taken);
        const total = emptySum();
        const buckets = new Int32Array(LANES * CONTEXT_BUCKETS);
        for (const { origin, intervals } of context.dots())
          for (let i = 0; i < intervals.length; i += 2) {
            const [first, last] = [intervals[i] as number, intervals[i + 1] as number];
            const term = hashInterval(origin.seeds, first, last);
            addTerm(total, 0, term, 1);
            addTerm(buckets, bucketOf(origin), term, 1);
          }
        expect(context.sum).toEqual(total);
        expect(context.bucketSums).toEqual(buckets);
      }),
      { numRuns: 500 },
    );
  });

  test('with the same dots has the same sum, however it came to them', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const { context } = built(taken);
        const anew = Context.of([...context.dots()].reverse());
        expect(anew.sum).toEqual(context.sum);
      }),
    );
  });

  test('lacks, shares and covers as sets do', () => {
    fc.assert(
      fc.property(steps, steps, (one, other) => {
        const a = built(one);
        const b = built(other);
        const [mine, theirs] = [modelDots(a.model), modelDots(b.model)];
        expect(dotsIn(a.context.lacking(b.context.dots()))).toEqual(new Set([...theirs].filter((d) => !mine.has(d))));
        expect(dotsIn(a.context.common(b.context.dots()))).toEqual(new Set([...theirs].filter((d) => mine.has(d))));
        expect(a.context.covers(b.context.dots())).toBe([...theirs].every((d) => mine.has(d)));
      }),
    );
  });

  test('tells of the named buckets alone, in copies that later steps do not touch', () => {
    const context = new Context();
    for (const origin of origins) context.add(origin, 1, 5);
    const [bucket] = origins.map(bucketOf) as [number];
    const told = context.dots([bucket]);
    expect(new Set(told.map(({ origin }) => bucketOf(origin)))).toEqual(new Set([bucket]));
    const before = told.map(({ intervals }) => [...intervals]);
    for (const origin of origins) context.add(origin, 6, 9);
    expect(told.map(({ intervals }) => intervals)).toEqual(before);
  });

  test('keeps the newest stamp of an origin, and its journal gets what is added', () => {
    const context = new Context();
    const journal = new Journal();
    const [origin] = origins as [Origin];
    context.add(origin, 1);
    context.journal = journal;
    context.addAll([{ origin, intervals: [2, 3], newest: 50 }]);
    context.addAll([{ origin, intervals: [4, 4], newest: 20 }]);
    expect(context.find(origin)?.newest).toBe(50);
    expect(journal.lacking(context.dots())).toMatchObject([{ intervals: [1, 1] }]);
  });
});

test('a context takes many gaps of an origin at once as it takes them one by one, and gives them back', () => {
  const origin = new Origin('sparse', 1);
  const odd = Array.from({ length: 5000 }, (_, i) => [4 * i + 1, 4 * i + 2]).flat();
  const even = Array.from({ length: 5000 }, (_, i) => [4 * i + 3, 4 * i + 3]).flat();
  const [whole, single] = [new Context(), new Context()];
  whole.addAll([{ origin, intervals: odd, newest: 0 }]);
  whole.addAll([{ origin, intervals: even, newest: 0 }]);
  for (const bounds of [odd, even])
    for (let i = 0; i < 400; i += 2) single.add(origin, bounds[i] as number, bounds[i + 1]);
  const few = new Context();
  few.addAll([{ origin, intervals: odd.slice(0, 400), newest: 0 }]);
  few.addAll([{ origin, intervals: even.slice(0, 400), newest: 0 }]);
  expect(few.sum).toEqual(single.sum);
  expect(few.dots()).toEqual(single.dots());
  expect(whole.sum).toEqual(Context.of(whole.dots()).sum);
  whole.removeAll([{ origin, intervals: even, newest: 0 }]);
  expect(whole.dots()).toMatchObject([{ intervals: odd }]);
  expect(whole.sum).toEqual(Context.of(whole.dots()).sum);
});

describe('a context with an origin of very many intervals', () => {
  const [writer, other] = origins as [Origin, Origin];
  /** Every fourth number, so that there is room on both sides of each. */
  const MANY = 3100;

  function aContext(): Context {
    const intervals = Array.from({ length: 2 * MANY }, (_, bound) => 4 + 4 * (bound >>> 1));
    return Context.of([{ origin: writer, intervals, newest: 0 }]);
  }

  const changes = fc.array(
    fc.record({
      step: fc.constantFrom('add', 'add', 'add', 'add', 'remove', 'sums', 'read', 'elsewhere', 'all'),
      // In a few places, so that they meet; and at the upper end.
      first: fc
        .tuple(fc.constantFrom(0, 2000, 4160, 12_370), fc.integer({ min: 1, max: 60 }))
        .map(([at, more]) => at + more),
      more: fc.constantFrom(0, 0, 0, 1, 2, 9),
    }),
    { maxLength: 60 },
  );

  test('has the dots, sums and number of intervals that one has which is made of the same dots at once', () => {
    fc.assert(
      fc.property(changes, (taken) => {
        const context = aContext();
        const model = new Set(Array.from({ length: MANY }, (_, n) => 4 + 4 * n));
        const dots = (): Dots => {
          const anew = new Context();
          for (const n of [...model].sort((a, b) => a - b)) anew.add(writer, n);
          return anew.dots();
        };
        for (const { step, first, more } of taken) {
          const last = first + more;
          if (step === 'add') context.add(writer, first, last);
          if (step === 'all')
            context.addAll([
              {
                origin: writer,
                newest: 0,
                intervals: Array.from({ length: 17 }, (_, n) => n).flatMap((n) => [first + 4 * n, first + 4 * n]),
              },
            ]);
          if (step === 'remove') context.remove(writer, first, last);
          if (step === 'sums') void context.bucketSums;
          if (step === 'read') void context.find(writer)?.intervals;
          // Another origin grows with gaps meanwhile.
          if (step === 'elsewhere') context.add(other, 2 * context.version, 2 * context.version);
          for (let n = first; n <= last; n++) {
            if (step === 'add') model.add(n);
            if (step === 'remove') model.delete(n);
          }
          if (step === 'all') for (let n = 0; n < 17; n++) model.add(first + 4 * n);
          const around: Dots = [{ origin: writer, newest: 0, intervals: [first - 1, last + 1] }];
          const numbers = Array.from({ length: more + 3 }, (_, n) => first - 1 + n);
          const keys = (chosen: number[]): Set<string> => new Set(chosen.map((n) => `${n}.${writer.key}`));
          expect(dotsIn(context.common(around))).toEqual(keys(numbers.filter((n) => model.has(n))));
          expect(dotsIn(context.lacking(around))).toEqual(keys(numbers.filter((n) => !model.has(n))));
          expect(context.covers(around)).toBe(numbers.every((n) => model.has(n)));
          expect([first - 1, first, last, last + 1].filter((n) => context.has(writer, n))).toEqual(
            [first - 1, first, last, last + 1].filter((n) => model.has(n)),
          );
        }
        context.forget(other);
        const [expected] = dots() as [Dots[number]];
        expect(context.intervalCount).toBe(expected.intervals.length / 2);
        expect(context.sum).toEqual(sumOf([expected]));
        expect(context.dots()).toEqual([expected]);
        expect(context.intervalCount).toBe(expected.intervals.length / 2);
        const buckets = new Int32Array(LANES * CONTEXT_BUCKETS);
        addTerm(buckets, bucketOf(writer), sumOf([expected]), 1);
        expect(context.bucketSums).toEqual(buckets);
      }),
      { numRuns: 100 },
    );
  });

  test('has the right sums of more of them than are kept aside', () => {
    const context = aContext();
    void context.bucketSums;
    for (let n = MANY - 1; n > 0; n--) context.add(writer, 4 * n + 2);
    expect(context.intervalCount).toBe(2 * MANY - 1);
    const every = Array.from({ length: 2 * (2 * MANY - 1) }, (_, bound) => 4 + 2 * (bound >>> 1));
    expect(context.sum).toEqual(sumOf([{ origin: writer, intervals: every, newest: 0 }]));
    expect(context.dots()).toEqual([{ origin: writer, intervals: every, newest: 0 }]);
    // Then all that was between them.
    for (let n = 2 * MANY - 1; n > 1; n--) context.add(writer, 2 * n + 1);
    expect(context.dots()).toEqual([{ origin: writer, intervals: [4, 4 * MANY], newest: 0 }]);
    expect(context.intervalCount).toBe(1);
    expect(context.sum).toEqual(sumOf(context.dots()));
  });

  test('puts those near its upper end in their place at once: they move little', () => {
    const context = aContext();
    const seen = context.seen(writer);
    context.add(writer, 6);
    let touched = 0;
    seen.settled = counted(seen.settled, () => touched++);
    for (let n = 0; n < 20; n++) context.add(writer, 4 * (MANY - n) - 2);
    // Those behind it are read and written, and the place is searched for.
    expect(touched).toBeLessThan(20 * (4 * 2 * 40 + 10 * Math.log2(2 * MANY)));
    // What is far from it still waits.
    expect(seen.scattered).toEqual([6, 6]);
    expect(context.intervalCount).toBe(MANY + 21);
    expect(context.sum).toEqual(sumOf(context.dots()));
  });

  test('takes those that come between them in one pass, however many they are and whatever is asked meanwhile of their dots', () => {
    const context = aContext();
    const seen = context.seen(writer);
    let touched = 0;
    seen.settled = counted(seen.settled, () => touched++);
    const added = 500;
    // As a hostile member writes them: in descending order, with gaps.
    for (let n = added; n > 0; n--) {
      context.add(writer, 4 * n + 2);
      // Another origin grows with gaps meanwhile.
      context.add(other, 2 * (added - n + 1));
      expect([context.has(writer, 4 * n + 2), context.has(writer, 4 * n + 1)]).toEqual([true, false]);
      // What is asked of a message with a dot that is here, and one that is not.
      const dots = [{ origin: writer, intervals: [4 * n + 2, 4 * n + 3], newest: 0 }];
      expect(context.lacking(dots)).toMatchObject([{ intervals: [4 * n + 3, 4 * n + 3] }]);
      expect(context.common(dots)).toMatchObject([{ intervals: [4 * n + 2, 4 * n + 2] }]);
      expect(context.covers(dots)).toBe(false);
      expect(context.intervalCount).toBe(MANY + 2 * (added - n + 1));
    }
    // A search reads a bound in each step.
    const searches = 20 * added * Math.ceil(Math.log2(2 * MANY));
    expect(touched).toBeLessThan(searches);
    touched = 0;
    expect(context.dots()[0]?.intervals.length).toBe(2 * (MANY + added));
    // All bounds are read once, and once more for what is compared of them.
    expect(touched).toBeLessThan(4 * 2 * MANY);
  });
});

/** An array that tells of each bound that is read or written. */
function counted(bounds: number[], touch: () => void): number[] {
  const isBound = (key: string | symbol): boolean =>
    typeof key === 'string' && key !== 'length' && !(key in Array.prototype);
  return new Proxy(bounds, {
    get(target, key): unknown {
      if (isBound(key)) touch();
      return Reflect.get(target, key);
    },
    set(target, key, value): boolean {
      if (isBound(key)) touch();
      return Reflect.set(target, key, value);
    },
  });
}
