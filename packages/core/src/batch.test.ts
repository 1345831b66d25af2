/** A batch against the updates that it was made of. */

import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Batch } from './batch.ts';
import { Origin } from './origin.ts';
import { dotsOf } from './protocols/dots.ts';
import { hiddenView, Update, updateBytes } from './update.ts';

const origins = Array.from({ length: 3 }, (_, i) => new Origin(`node-${i}`, 1000));

const anUpdate = fc
  .record({
    id: fc.string({ minLength: 1 }),
    value: fc.option(
      fc.string({ unit: fc.integer({ min: 0, max: 255 }).map((code) => String.fromCharCode(code)), maxLength: 100 }),
      {
        nil: undefined,
      },
    ),
    stamp: fc.integer({ min: 1 }),
    origin: fc.nat({ max: 2 }),
    sequence: fc.integer({ min: 1, max: 20 }),
    expiresAt: fc.option(fc.nat(), { nil: undefined }),
    isHidden: fc.boolean(),
  })
  .map(({ id, value, stamp, origin, sequence, expiresAt, isHidden }) => {
    const update = new Update(id, value, stamp, origins[origin] as Origin, sequence, expiresAt);
    if (isHidden) update.view = hiddenView('ignored');
    return update;
  });

describe('a batch', () => {
  test('gives back the updates that it was made of, whole, in part, and taken over row by row', () => {
    fc.assert(
      fc.property(fc.array(anUpdate), fc.nat({ max: 20 }), fc.nat({ max: 20 }), (updates, first, count) => {
        const batch = Batch.of(updates);
        expect([...batch]).toEqual(updates);
        expect(batch.length).toBe(updates.length);
        const from = Math.min(first, updates.length);
        const end = Math.min(from + count, updates.length);
        expect(Array.from(batch.slice(from, end))).toEqual(updates.slice(from, end));
        const rows = updates.map((_, row) => row).filter((row) => row % 3 !== 1);
        expect([...batch.pick(rows)]).toEqual(rows.map((row) => updates[row]));
      }),
    );
  });

  test('tells the dots and the bytes of its rows', () => {
    fc.assert(
      fc.property(fc.array(anUpdate), (updates) => {
        const batch = Batch.of(updates);
        expect(batch.dots()).toEqual(dotsOf(updates));
        expect(updates.map((_, row) => batch.updateBytes(row))).toEqual(updates.map(updateBytes));
      }),
    );
  });

  test('is itself where it is asked for as a batch', () => {
    const batch = new Batch();
    expect(Batch.of(batch)).toBe(batch);
  });
});
