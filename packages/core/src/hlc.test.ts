import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Clock, STAMP_EPOCH_MS, stampAt, wallOf } from './hlc.ts';

const walls = fc.integer({ min: STAMP_EPOCH_MS, max: STAMP_EPOCH_MS + 2 ** 41 - 1 });

describe('a stamp', () => {
  test('bears the millisecond it was made of, to the end of its range', () => {
    fc.assert(
      fc.property(walls, fc.integer({ min: 0, max: 4095 }), (wall, counter) => {
        expect(wallOf(stampAt(wall) + counter)).toBe(wall);
        expect(Number.isSafeInteger(stampAt(wall) + counter)).toBe(true);
      }),
    );
  });
});

describe('a clock', () => {
  test('gives stamps greater than all given and witnessed, whatever the wall clock does', () => {
    const inputs = fc.oneof(
      fc.record({ kind: fc.constant('next' as const), wall: walls }),
      fc.record({ kind: fc.constant('witness' as const), wall: walls }),
    );
    fc.assert(
      fc.property(fc.array(inputs, { maxLength: 50 }), (steps) => {
        const clock = new Clock();
        const faults = steps.filter(({ kind, wall }) => {
          const { last } = clock;
          if (kind === 'next') {
            const stamp = clock.next(wall);
            return stamp <= last || wallOf(stamp) < wall || clock.last !== stamp;
          }
          clock.witness(stampAt(wall) + 7);
          return clock.last !== Math.max(last, stampAt(wall) + 7);
        });
        expect(faults).toEqual([]);
      }),
    );
  });

  test('follows the wall clock while nothing is ahead of it', () => {
    const clock = new Clock();
    for (const wall of [STAMP_EPOCH_MS + 5, STAMP_EPOCH_MS + 6, STAMP_EPOCH_MS + 1000])
      expect(clock.next(wall)).toBe(stampAt(wall));
  });

  test('borrows from the next millisecond when one has more than 4,096 writes', () => {
    const clock = new Clock();
    const wall = STAMP_EPOCH_MS + 10;
    let last = 0;
    for (let i = 0; i < 5000; i++) last = clock.next(wall);
    expect(last).toBe(stampAt(wall) + 4999);
    expect(clock.next(wall + 1)).toBe(stampAt(wall) + 5000);
    expect(clock.next(wall + 2)).toBe(stampAt(wall + 2));
  });

  test('set back and right again, exceeds all that is not too far ahead, also of the time before', () => {
    const now = STAMP_EPOCH_MS + 1e9;
    const clock = new Clock();
    clock.witness(stampAt(now + 900));
    const early = clock.next(now - 20_000, 0, 1000);
    expect(wallOf(early)).toBe(now - 20_000);
    clock.witness(stampAt(now - 19_500) + 3);
    expect(clock.next(now - 20_000, 0, 1000)).toBe(stampAt(now - 19_500) + 4);
    expect(clock.next(now, 0, 1000)).toBe(stampAt(now + 900) + 1);
    expect(clock.next(now - 20_000, 0, 1000)).toBe(stampAt(now - 19_500) + 5);
  });

  test('counts on from a stamp that was too far ahead when it was given, once it is not', () => {
    const now = STAMP_EPOCH_MS + 1e9;
    const clock = new Clock();
    const far = clock.next(now, stampAt(now + 5000), 1000);
    expect(clock.next(now + 3000, 0, 1000)).toBe(stampAt(now + 3000));
    expect(clock.next(now + 4500, 0, 1000)).toBe(far + 1);
  });

  test('exceeds what it gave also where a stamp less than a second beyond that is too far ahead', () => {
    const now = STAMP_EPOCH_MS + 1e9;
    const clock = new Clock();
    clock.witness(stampAt(now + 1100));
    const first = clock.next(now + 900, 0, 100);
    expect(clock.next(now + 850, 0, 100)).toBe(first + 1);
  });

  test('does not count on from a stamp that is too far ahead, but beats the version it replaces', () => {
    const now = STAMP_EPOCH_MS + 1e9;
    for (const aheadMs of [5000, 3_600_000, 315_360_000_000]) {
      const clock = new Clock();
      const far = clock.next(now + aheadMs, 0, 1000);
      expect(wallOf(far)).toBe(now + aheadMs);
      expect(clock.next(now, far, 1000)).toBe(far + 1);
      const near = clock.next(now, 0, 1000);
      expect(near).toBe(stampAt(now));
      expect(clock.next(now, near, 1000)).toBe(near + 1);
      expect(clock.next(now, far + 1, 1000)).toBe(far + 2);
      expect(clock.next(now - 500, 0, 1000)).toBe(near + 2);
    }
  });
});
