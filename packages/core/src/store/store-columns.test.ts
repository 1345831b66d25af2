/** The store against a plain model, through what its columns do: growth, gaps, new pages, merged pages, compacted slabs. */

import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Batch } from '../batch.ts';
import { Context } from '../context.ts';
import { addTerm, emptySum, hashDot, type Sum } from '../hash.ts';
import { Origin } from '../origin.ts';
import { outlives, Store, type Walk } from '../store.ts';
import { hiddenView, isHidden, Update, visible } from '../update.ts';
import { KeyedHash } from './keyed-hash.ts';

const origins = Array.from({ length: 3 }, (_, i) => new Origin(`node-${i}`, 1000));
const HOUR = 3_600_000;

/** Pairs of ids that have one hash under the key of zeros. */
const twins = ((): string[] => {
  const hash = new KeyedHash([0, 0]);
  const seen = new Map<number, string>();
  const found: string[] = [];
  for (let i = 0; found.length < 8; i++) {
    const id = `t${i}`;
    const other = seen.get(hash.text(id));
    if (other !== undefined) found.push(other, id);
    seen.set(hash.text(id), id);
  }
  return found;
})();

function idOf(number: number): string {
  return twins[number] ?? `id${number}`;
}

function valueOf(number: number, length: number): string {
  return String.fromCharCode(...Array.from({ length }, (_, i) => (number * 31 + i * 7) % 256));
}

class Twin {
  readonly store: Store = new Store();
  readonly model: Map<string, Update> = new Map();
  readonly arrivedMs: Map<string, number> = new Map();
  readonly gone: Update[] = [];
  /** What was said to have expired, or to be old enough to be collected, and was not. */
  readonly untimely: Update[] = [];
  #sequence = 0;
  #nowMs = 0;

  write(number: number, what: 'value' | 'removal' | 'expiring', length: number): void {
    const id = idOf(number);
    const former = this.model.get(id);
    const sequence = ++this.#sequence;
    const update = new Update(
      id,
      what === 'removal' ? undefined : valueOf(sequence, length),
      sequence,
      origins[sequence % 3] as Origin,
      // Neighbours, numbers of a block alone, and very large ones.
      sequence % 5 === 0 ? sequence * 1000 : sequence % 7 === 0 ? 2 ** 40 + sequence : sequence,
      what === 'expiring' ? HOUR + (sequence % 5000) : undefined,
    );
    this.#nowMs++;
    if (former === undefined && number % 3 !== 0) this.store.add(Batch.of([update]), 0, this.#nowMs);
    else this.store.set(update, number % 2 === 0 ? former : this.store.get(id), this.#nowMs);
    this.#forget(former);
    this.model.set(id, update.arrival === 0 ? (this.store.get(id) as Update) : update);
    this.arrivedMs.set(id, this.#nowMs);
  }

  drop(number: number): void {
    const former = this.model.get(idOf(number));
    if (former === undefined) return;
    this.store.drop(number % 2 === 0 ? former : (this.store.get(former.id) as Update));
    this.#forget(former);
  }

  hide(number: number, keepsOther: boolean): void {
    const update = this.model.get(idOf(number));
    if (update?.value === undefined) return;
    const view = keepsOther ? { value: 'other', why: undefined } : hiddenView('reset');
    update.view = view;
    this.store.show(this.store.get(update.id) as Update, view);
  }

  expire(nowMs: number): void {
    for (const update of this.store.expired(nowMs)) {
      const { id, stamp, origin, sequence, expiresAt } = update;
      const tombstone = new Update(id, undefined, stamp, origin, sequence, expiresAt);
      const former = this.model.get(id) as Update;
      if (former.sequence !== sequence || former.expiresAt !== expiresAt) this.untimely.push(update);
      this.#nowMs++;
      this.store.set(tombstone, update, this.#nowMs);
      this.model.delete(id);
      this.model.set(id, tombstone);
      this.arrivedMs.set(id, this.#nowMs);
    }
  }

  collect(before: number): void {
    for (const update of this.store.tombstonesUpTo(before)) {
      if ((this.arrivedMs.get(update.id) ?? Infinity) > before) this.untimely.push(update);
      this.store.drop(update);
      this.model.delete(update.id);
    }
  }

  #forget(former: Update | undefined): void {
    if (former === undefined) return;
    this.model.delete(former.id);
    if (this.gone.length < 2000) this.gone.push(former);
  }

  /** Everything that the store tells. */
  told(): unknown {
    const { store, model } = this;
    const held = [...store];
    const found = [...model.values()].filter((update) => {
      const byDot = store.byDot(new Origin(update.origin.name, 1000), update.sequence);
      const isFound = store.get(update.id)?.arrival === update.arrival && byDot?.arrival === update.arrival;
      return isFound && store.holds(update) && store.read(update.id) === visible(update);
    });
    return {
      held: held.map(shown),
      isInOrder: held.every(({ arrival }, i) => i === 0 || arrival > (held[i - 1] as Update).arrival),
      found: found.length,
      spread: found.filter((update) => store.shows(update)).length,
      gone: this.gone.filter((update) => store.holds(update) || store.shows(update)),
      counts: [store.size, store.liveCount, store.tombstoneCount, store.hiddenCount, store.visibleCount],
      bytes: [store.liveBytes, store.tombstoneBytes],
      oldest: store.oldestTombstone?.id,
      hidden: Array.from(store.hidden(), ({ id }) => id).toSorted(),
      sum: store.liveSum(HOUR),
      next: store.nextExpiryMs,
      writers: origins.map((origin) => store.holdsAnyOf(origin)),
      untimely: this.untimely,
    };
  }

  /** The same, by the model. */
  expected(): unknown {
    const updates = [...this.model.values()];
    const live = updates.filter(({ value }) => value !== undefined);
    const dead = updates.filter(({ value }) => value === undefined);
    const hidden = updates.filter(isHidden);
    const seen = updates.filter((update) => visible(update) !== undefined);
    const times = live.flatMap(({ expiresAt }) => expiresAt ?? []);
    return {
      held: updates.map(shown),
      isInOrder: true,
      found: updates.length,
      spread: updates.length - hidden.length,
      gone: [],
      counts: [updates.length, live.length, dead.length, hidden.length, seen.length],
      bytes: [
        live.reduce((sum, { id, value }) => sum + id.length + (value?.length ?? 0), 0),
        dead.reduce((sum, { id }) => sum + id.length, 0),
      ],
      oldest: dead[0]?.id,
      hidden: hidden.map(({ id }) => id).toSorted(),
      sum: sumOf(live.filter((update) => outlives(update, HOUR))),
      next: times.length === 0 ? undefined : Math.min(...times),
      writers: origins.map((origin) => updates.some((update) => update.origin === origin)),
      untimely: [],
    };
  }
}

function shown({ id, value, stamp, origin, sequence, expiresAt, view }: Update): unknown {
  return [id, value, stamp, origin.key, sequence, expiresAt, view?.value, view?.why];
}

function sumOf(updates: Iterable<Update>): Sum {
  const sum = emptySum();
  for (const { origin, sequence } of updates) addTerm(sum, 0, hashDot(origin.seeds, sequence), 1);
  return sum;
}

/** The sequence numbers that a walk comes to. */
function walked(store: Store, walk: Walk): number[] {
  const sequences: number[] = [];
  for (let update = store.next(walk); update !== undefined; update = store.next(walk)) sequences.push(update.sequence);
  return sequences;
}

type Kind = 'value' | 'removal' | 'expiring' | 'drop' | 'hide' | 'expire' | 'collect';

interface Step {
  readonly step: Kind;
  readonly from: number;
  readonly count: number;
  readonly stride: number;
  readonly length: number;
}

const kinds = fc.constantFrom<Kind[]>(
  'value',
  'value',
  'value',
  'value',
  'removal',
  'expiring',
  'drop',
  'hide',
  'expire',
  'collect',
);

/** Steps over many ids at once, so that a few dozen make many pages. */
const bulk: fc.Arbitrary<Step> = fc.record({
  step: kinds,
  from: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 9000 })),
  count: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1000, max: 6000 })),
  stride: fc.integer({ min: 1, max: 3 }),
  length: fc.oneof(fc.integer({ min: 0, max: 24 }), fc.integer({ min: 60, max: 70 })),
});

function take(twin: Twin, { step, from, count, stride, length }: Step): void {
  if (step === 'expire') return twin.expire(HOUR + count);
  if (step === 'collect') return twin.collect(count * 2);
  for (let i = 0; i < count; i++) {
    const number = from + i * stride;
    if (step === 'drop') twin.drop(number);
    else if (step === 'hide') twin.hide(number, i % 3 === 0);
    else twin.write(number, step, length);
  }
}

describe('a store in columns', () => {
  test('is what a plain model is, through growth, gaps, merged pages and compacted slabs', () => {
    fc.assert(
      fc.property(fc.array(bulk, { minLength: 3, maxLength: 16 }), (steps) => {
        const twin = new Twin();
        for (const step of steps) take(twin, step);
        expect(twin.told()).toEqual(twin.expected());
      }),
      { numRuns: 40 },
    );
  });

  test('is so after each of a few small steps, too, with ids that share a hash', () => {
    const small = fc.record({
      step: kinds,
      from: fc.integer({ min: 0, max: 12 }),
      count: fc.integer({ min: 1, max: 6 }),
      stride: fc.integer({ min: 1, max: 2 }),
      length: fc.integer({ min: 0, max: 70 }),
    });
    fc.assert(
      fc.property(fc.array(small, { minLength: 1, maxLength: 30 }), (steps) => {
        const twin = new Twin();
        for (const step of steps) {
          take(twin, step);
          expect(twin.told()).toEqual(twin.expected());
        }
      }),
      { numRuns: 60 },
    );
  });

  test('goes on iterating where it was when rows move, are dropped and arrive meanwhile', () => {
    const store = new Store();
    const [origin] = origins as [Origin];
    const write = (number: number): void =>
      store.set(
        new Update(`id${number}`, `v${number}`, number, origin, number, undefined),
        store.get(`id${number}`),
        0,
      );
    for (let number = 1; number <= 20_000; number++) write(number);
    const seen: number[] = [];
    for (const { sequence } of store) {
      seen.push(sequence);
      // Drops what was seen, and of what comes three of four: pages are merged under the iteration, and go.
      for (const number of [sequence, sequence + 1, sequence + 2, sequence + 3]) {
        const update = store.get(`id${number}`);
        if (update !== undefined) store.drop(update);
      }
      if (sequence === 8001) write(30_000);
    }
    expect(seen).toEqual([...Array.from({ length: 5000 }, (_, i) => 4 * i + 1), 30_000]);
    expect(store.size).toBe(0);
  });

  test('serves from any arrival on, whether its update is still here or not', () => {
    const store = new Store();
    const [origin] = origins as [Origin];
    for (let number = 1; number <= 10_000; number++)
      store.set(new Update(`id${number}`, 'v', number, origin, number, undefined), undefined, 0);
    for (let number = 1; number <= 10_000; number++)
      if (number % 8 !== 0) store.drop(store.get(`id${number}`) as Update);
    for (const arrival of [0, 1, 7, 8, 4095, 4096, 4097, 9999, 10_000])
      expect(walked(store, store.walk(arrival))).toEqual(
        Array.from({ length: 1250 }, (_, i) => 8 * (i + 1)).filter((number) => number > arrival),
      );
    const dots = new Context();
    dots.add(origin, 100, 200);
    dots.add(origin, 5000, 5008);
    dots.add(origins[1] as Origin, 1, 9000);
    expect(walked(store, store.walk(104, dots))).toEqual([
      ...Array.from({ length: 12 }, (_, i) => 112 + 8 * i),
      5000,
      5008,
    ]);
  });

  test('gives out rows as they travel on a walk over looked up dots, in order of arrival', () => {
    const store = new Store();
    const [first, second] = origins as [Origin, Origin];
    const set = (id: string, origin: Origin, sequence: number, expiresAt?: number): void =>
      store.set(new Update(id, `value of ${id}`, 10 * sequence, origin, sequence, expiresAt), store.get(id), 0);
    set('c', second, 3);
    set('a', first, 2, 5000);
    set('b', second, 1);
    set('d', first, 1);
    store.show(store.get('b') as Update, { value: undefined, why: 'ignored' });
    const dots = new Context();
    dots.add(first, 1, 2);
    dots.add(second, 1, 3);
    const walk = store.walkOf(dots.dots());
    // Superseded after the walk began: it is no more, and what superseded it was not asked for.
    set('d', first, 3);
    const batch = new Batch();
    for (; store.reach(walk); store.pass(walk)) {
      expect(store.reach(walk)).toBe(true);
      store.take(walk, batch);
    }
    expect(Array.from(batch, shown)).toEqual([
      ['c', 'value of c', 30, second.key, 3, undefined, undefined, undefined],
      ['a', 'value of a', 20, first.key, 2, 5000, undefined, undefined],
      ['b', 'value of b', 10, second.key, 1, undefined, undefined, undefined],
    ]);
  });

  test('takes memory for what it holds, and not for what it held', () => {
    const store = new Store();
    const [origin] = origins as [Origin];
    let sequence = 0;
    // One id of four is written once, the others again and again: blocks, pages and slabs thin out everywhere.
    for (let round = 0; round < 40; round++)
      for (let number = 0; number < 4000; number++) {
        const id = number % 4 === 0 ? `once${round}-${number}` : `often${number}`;
        store.set(new Update(id, `value ${round}`, ++sequence, origin, sequence, undefined), store.get(id), 0);
      }
    expect(store.size).toBe(40_000 + 3000);
    expect(store.rowCount).toBeLessThan(2.7 * store.size);
    const dots = new Context();
    dots.add(origin, 1, sequence);
    expect(store.byDots(dots.dots())).toHaveLength(store.size);
    for (const update of store) store.drop(update);
    expect(store.rowCount).toBeLessThanOrEqual(4096);
  });

  test('takes no more than docs/operations.md has it, whatever peers choose', () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const bytes = (): number => {
      collect();
      const { heapUsed, arrayBuffers } = process.memoryUsage();
      return heapUsed + arrayBuffers;
    };
    const count = 60_000;
    const [origin] = origins as [Origin];
    const before = bytes();
    const store = new Store();
    // Each dot in a block of its own, each end in a second of its own, each value changed by the handler; and as many tombstones.
    for (let number = 1; number <= 2 * count; number++) {
      const isLive = number <= count;
      const expiresAt = isLive ? 1e12 + 1000 * number : undefined;
      const update = new Update(`${number}`, isLive ? 'v' : undefined, number, origin, 16 * number, expiresAt);
      if (isLive) update.view = { value: 'w', why: undefined };
      store.set(update, undefined, 0);
    }
    const taken = bytes() - before;
    expect([store.liveCount, store.tombstoneCount]).toEqual([count, count]);
    expect(taken / count).toBeLessThan(800);
  });
});
