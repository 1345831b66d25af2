import { describe, expect, test } from '@jest/globals';
import { STAMP_EPOCH_MS } from './hlc.ts';
import { EPOCH_LIMIT, epochAt } from './origin.ts';
import { seededRandom } from './random.ts';

/** 2026-11-28T00:00:00Z. */
const NOW = 1795824000000;

describe('an epoch', () => {
  test('differs between two starts in the same millisecond, by chance', () => {
    const random = seededRandom(1);
    const epochs = Array.from({ length: 100 }, () => epochAt(NOW, random));
    expect(new Set(epochs).size).toBe(100);
  });

  test('is higher than that of a start 64 ms or more before, whatever chance gives', () => {
    const latest = epochAt(NOW, () => 1 - 2 ** -32);
    expect(epochAt(NOW + 64, () => 0)).toBeGreaterThan(latest);
  });

  test('is higher than the milliseconds since 1970 that earlier releases take', () => {
    expect(epochAt(NOW, () => 0)).toBeGreaterThan(NOW + 86_400_000_000);
  });

  test('is a whole number from 1 that others heed, whatever the clock says', () => {
    const clocks = [-1e15, 0, STAMP_EPOCH_MS, NOW, 5e12, Number.MAX_SAFE_INTEGER];
    for (const clock of clocks)
      for (const chance of [0, 1 - 2 ** -32]) {
        const epoch = epochAt(clock, () => chance);
        expect([clock, Number.isSafeInteger(epoch), epoch >= 1, epoch < EPOCH_LIMIT]).toEqual([
          clock,
          true,
          true,
          true,
        ]);
      }
  });
});
