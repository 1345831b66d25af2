import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Context } from './context.ts';
import { addTerm, emptySum, hashDot, LANES, type Sum } from './hash.ts';
import { Origin } from './origin.ts';
import { LIVE_BUCKETS, liveBucketOf, outlives, Store } from './store.ts';
import { Update } from './update.ts';

const origins = Array.from({ length: 3 }, (_, i) => new Origin(`node-${i}`, 1000));
const HOUR = 3600000;

/** The store and its model: the newest of each id, in order of arrival. */
interface Built {
  readonly store: Store;
  readonly model: Map<string, Update>;
  readonly arrivedMs: Map<Update, number>;
  readonly gone: readonly Update[];
}

const steps = fc.array(
  fc.record({
    step: fc.constantFrom('set', 'set', 'set', 'remove', 'drop'),
    id: fc.integer({ min: 0, max: 8 }).map((n) => `id${n}`),
    origin: fc.constantFrom(...origins),
    expiresAt: fc.option(fc.integer({ min: HOUR, max: HOUR + 5000 }), { nil: undefined }),
  }),
  { maxLength: 60 },
);

function built(taken: readonly { step: string; id: string; origin: Origin; expiresAt: number | undefined }[]): Built {
  const store = new Store();
  const model = new Map<string, Update>();
  const arrivedMs = new Map<Update, number>();
  const gone: Update[] = [];
  taken.forEach(({ step, id, origin, expiresAt }, i) => {
    const former = model.get(id);
    if (former !== undefined && step !== 'drop') gone.push(former);
    if (step === 'drop') {
      if (former === undefined) return;
      store.drop(former);
      model.delete(id);
      gone.push(former);
      return;
    }
    const isRemoval = step === 'remove';
    const update = new Update(id, isRemoval ? undefined : 'v', i, origin, i + 1, isRemoval ? undefined : expiresAt);
    store.set(update, former, i);
    model.delete(id);
    model.set(id, update);
    arrivedMs.set(update, i);
  });
  return { store, model, arrivedMs, gone };
}

function inOrder(updates: readonly Update[]): Update[] {
  return updates.toSorted((a, b) => a.arrival - b.arrival);
}

function sumOf(updates: Iterable<Update>): Sum {
  const sum = emptySum();
  for (const { origin, sequence } of updates) addTerm(sum, 0, hashDot(origin.seeds, sequence), 1);
  return sum;
}

describe('a store', () => {
  test('holds the last of every id, in order of arrival, and counts what lives', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const { store, model } = built(taken);
        expect([...store]).toEqual([...model.values()]);
        expect(store.size).toBe(model.size);
        expect(store.liveCount).toBe([...model.values()].filter(({ value }) => value !== undefined).length);
        const arrivals = [...store].map(({ arrival }) => arrival);
        expect(arrivals).toEqual([...arrivals].sort((a, b) => a - b));
        expect(store.lastArrival).toBeGreaterThanOrEqual(arrivals.at(-1) ?? 0);
        for (const [id, update] of model) expect(store.get(id)).toEqual(update);
      }),
    );
  });

  test('finds by its dot what it holds, and nothing else', () => {
    fc.assert(
      fc.property(steps, (taken) => {
        const { store, model, gone } = built(taken);
        for (const update of model.values())
          expect(store.byDot(new Origin(update.origin.name, 1000), update.sequence)).toEqual(update);
        for (const { origin, sequence } of gone) expect(store.byDot(origin, sequence)).toBeUndefined();
        const all = new Context();
        for (const { origin, sequence } of [...gone, ...model.values()]) all.add(origin, sequence);
        expect(inOrder(store.byDots(all.dots()))).toEqual([...model.values()]);
        // Whether tombstones alone count is the store's to say; a live update does, and nothing does not.
        const heldOf = (origin: Origin): Update[] => [...model.values()].filter((update) => update.origin === origin);
        const misjudged = origins.filter((origin) => {
          const held = heldOf(origin);
          const isLive = held.some(({ value }) => value !== undefined);
          return store.holdsAnyOf(origin) ? held.length === 0 : isLive;
        });
        expect(misjudged).toEqual([]);
      }),
    );
  });

  test('has the live sums that recomputing gives, for every horizon, in total and by bucket', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: HOUR - 1000, max: HOUR + 6000 }), (taken, horizonMs) => {
        const { store, model } = built(taken);
        const live = [...model.values()].filter((update) => outlives(update, horizonMs));
        expect(store.liveSum(horizonMs)).toEqual(sumOf(live));
        const sums = store.liveBucketSums(horizonMs);
        const expected = new Int32Array(LANES * LIVE_BUCKETS);
        for (const bucket of new Set(live.map(({ id }) => liveBucketOf(id)))) {
          expected.set(sumOf(live.filter(({ id }) => liveBucketOf(id) === bucket)), LANES * bucket);
        }
        expect(sums).toEqual(expected);
      }),
      { numRuns: 300 },
    );
  });

  test('knows what has expired and what expires next', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: HOUR - 1000, max: HOUR + 6000 }), (taken, nowMs) => {
        const { store, model } = built(taken);
        const expiring = [...model.values()].filter(({ expiresAt }) => expiresAt !== undefined);
        const times = expiring.map(({ expiresAt }) => expiresAt as number);
        expect(inOrder(store.expired(nowMs))).toEqual(
          expiring.filter(({ expiresAt }) => (expiresAt as number) <= nowMs),
        );
        expect(store.nextExpiryMs).toBe(times.length === 0 ? undefined : Math.min(...times));
      }),
    );
  });

  test('names the tombstones that arrived by a time, oldest first', () => {
    fc.assert(
      fc.property(steps, fc.integer({ min: 0, max: 60 }), (taken, before) => {
        const { store, model, arrivedMs } = built(taken);
        expect(store.tombstonesUpTo(before)).toEqual(
          [...model.values()].filter(
            (update) => update.value === undefined && (arrivedMs.get(update) as number) <= before,
          ),
        );
      }),
    );
  });
});

test('an update whose expiry falls into the second of the horizon does not outlive it', () => {
  const [origin] = origins as [Origin];
  const expiringAt = (expiresAt: number | undefined): Update => new Update('x', 'v', 1, origin, 1, expiresAt);
  expect(outlives(expiringAt(5999), 5000)).toBe(false);
  expect(outlives(expiringAt(6000), 5000)).toBe(true);
  expect(outlives(expiringAt(undefined), 5000)).toBe(true);
  expect(outlives(new Update('x', undefined, 1, origin, 1, undefined), 0)).toBe(false);
});
