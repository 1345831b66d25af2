import { describe, expect, test } from '@jest/globals';
import { countDots } from './context.ts';
import { Origin } from './origin.ts';
import { Refusals } from './refusals.ts';

const a = new Origin('a', 1);
const plenty = { ids: 1e9, bytes: 1e9, origins: 1e9 };

/** Refused for lack of room: sizes by sequence number. */
function refusing(sizes: Readonly<Record<number, number>>): Refusals {
  const refusals = new Refusals();
  for (const [sequence, bytes] of Object.entries(sizes)) refusals.add(a, Number(sequence), 'room', bytes);
  return refusals;
}

describe('what was refused for lack of room', () => {
  test('is lifted as far as it fits for certain, small updates past large ones', () => {
    const refusals = refusing({ 1: 1000, 3: 10, 5: 12, 7: 15 });
    expect(refusals.lift({ ids: 10, bytes: 14, origins: 1 })).toBeNull();
    expect(refusals.lift({ ids: 10, bytes: 30, origins: 1 })).toMatchObject({
      dots: [{ intervals: [3, 3, 5, 5] }],
      all: false,
    });
    expect(refusals.lift({ ids: 10, bytes: 999, origins: 1 })).toMatchObject({ dots: [{ intervals: [7, 7] }] });
    expect(refusals.lift({ ids: 10, bytes: 999, origins: 1 })).toBeNull();
    expect(refusals.lift({ ids: 0, bytes: 1000, origins: 1 })).toBeNull();
    expect(refusals.has(a, 1)).toBe(true);
    expect(refusals.lift({ ids: 1, bytes: 1000, origins: 1 })).toMatchObject({ dots: [{ intervals: [1, 1] }] });
    expect(refusals.isEmpty).toBe(true);
  });

  test('takes the room of one class from the next', () => {
    const refusals = refusing({ 1: 10, 3: 100, 5: 100 });
    const lifted = refusals.lift({ ids: 10, bytes: 209, origins: 1 });
    expect(countDots(lifted?.dots ?? [])).toBe(2);
  });

  test('and came after all is refused no more, of which peers hear', () => {
    const refusals = refusing({ 1: 10, 2: 10 });
    refusals.removeAll([{ origin: a, intervals: [1, 1], newest: 0 }]);
    expect(refusals.lacking([{ origin: a, intervals: [1, 2], newest: 0 }])).toMatchObject([{ intervals: [1, 1] }]);
    expect(refusals.lift(plenty)).toMatchObject({ dots: [{ intervals: [1, 2] }] });
    expect(refusals.lift(plenty)).toBeNull();
  });

  test('stands once for each origin, whatever the sizes', () => {
    const refusals = refusing({ 1: 10, 2: 1000, 4: 10 });
    expect(refusals.lift(plenty)?.dots).toMatchObject([{ origin: a, intervals: [1, 2, 4, 4] }]);
  });
});

test('what is too large is never lifted', () => {
  const refusals = new Refusals();
  refusals.add(a, 1, 'size', 0);
  expect(refusals.awaitsRoom).toBe(false);
  expect(refusals.lift(plenty)).toBeNull();
  expect(refusals.has(a, 1)).toBe(true);
  refusals.add(a, 2, 'room', 10);
  expect(refusals.awaitsRoom).toBe(true);
});

test('origins are lifted as many as there is room for', () => {
  const refusals = new Refusals();
  for (let i = 0; i < 5; i++) refusals.add(new Origin(`o${i}`, 1), 1, 'origin', 10);
  expect(refusals.lift({ ...plenty, origins: 0 })).toBeNull();
  expect(refusals.lift({ ...plenty, origins: 2 })?.dots).toHaveLength(2);
});

test('what goes beyond the limit is told at large once the rest was lifted', () => {
  const refusals = new Refusals();
  for (let i = 0; i < 70_000; i++) refusals.add(a, 2 * i + 1, 'room', 10);
  // What joins an interval costs none.
  refusals.add(a, 2, 'room', 10);
  expect(refusals.has(a, 2)).toBe(true);
  expect(refusals.has(a, 139_999)).toBe(false);
  // One origin takes as much as sixteen intervals.
  expect(countDots(refusals.lift(plenty)?.dots ?? [])).toBe(65_536 - 16 + 1);
  expect(refusals.isEmpty).toBe(false);
  expect(refusals.lift({ ids: 0, bytes: 0, origins: 0 })).toBeNull();
  expect(refusals.lift(plenty)).toEqual({ dots: [], all: true });
  expect(refusals.isEmpty).toBe(true);
});

test('origins that are made up, one after the other, are remembered up to a bound', () => {
  const refusals = new Refusals();
  for (let i = 0; i < 10_000; i++) refusals.add(new Origin(`made up ${i}`, 1), 1, 'origin', 10);
  expect(refusals.lift({ ...plenty, origins: 10_000 })?.dots).toHaveLength(Math.ceil(65_536 / 17));
});

test('of one origin, of two sizes by turns, no more is remembered than of any other', () => {
  const refusals = new Refusals();
  for (let i = 1; i <= 100_000; i++) refusals.add(a, i, 'room', i % 2 === 0 ? 10 : 100);
  const lifted = refusals.lift(plenty);
  expect(countDots(lifted?.dots ?? [])).toBeLessThanOrEqual(65_536);
  expect(refusals.lift(plenty)).toEqual({ dots: [], all: true });
});

test('of origins that are known by now all is lifted, whether there is room for others or not', () => {
  const refusals = new Refusals();
  const [known, other] = [new Origin('known', 1), new Origin('other', 1)];
  for (const origin of [other, known]) refusals.add(origin, 1, 'origin', 10);
  const lifted = refusals.lift({ ...plenty, origins: 0 }, (origin) => origin === known);
  expect(lifted?.dots.map(({ origin }) => origin.name)).toEqual(['known']);
  expect(refusals.has(other, 1)).toBe(true);
});

describe('refusals of an origin that is forgotten', () => {
  test('are forgotten with it, whatever they were for, and told to be: who has them may offer them once more', () => {
    const refusals = new Refusals();
    const [gone, kept] = [new Origin('gone', 1), new Origin('kept', 1)];
    refusals.add(gone, 1, 'size', 5000);
    refusals.add(gone, 2, 'room', 100);
    refusals.add(gone, 3, 'origin', 100);
    refusals.add(kept, 1, 'room', 100);
    refusals.forget(gone);
    expect([1, 2, 3].map((sequence) => refusals.has(gone, sequence))).toEqual([false, false, false]);
    expect(refusals.has(kept, 1)).toBe(true);
    const lifted = refusals.lift({ ids: 0, bytes: 0, origins: 0 });
    expect(lifted?.dots).toMatchObject([{ origin: gone, intervals: [1, 3] }]);
    expect(refusals.lift({ ids: 10, bytes: 10_000, origins: 10 })?.dots).toMatchObject([{ origin: kept }]);
    expect(refusals.isEmpty).toBe(true);
  });
});
