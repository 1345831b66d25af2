import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { hashInterval, hashNumber, hashText, mix, sameSum } from './hash.ts';

const wholes = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const seeds = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

describe('hashes', () => {
  test('are signed 32-bit integers, whatever goes in', () => {
    fc.assert(
      fc.property(seeds, wholes, wholes, fc.string(), (seed, a, b, text) => {
        for (const hash of [mix(seed), hashText(text, seed), hashNumber(seed, a), hashInterval(seed, a, b)])
          expect(hash).toBe(hash | 0);
      }),
    );
  });

  test('are what every other implementation computes', () => {
    // Reference vectors: the finaliser of MurmurHash3 and FNV-1a as published.
    expect(mix(0)).toBe(0);
    expect(mix(1) >>> 0).toBe(0x514e28b7);
    expect(mix(0xffffffff) >>> 0).toBe(0x81f16f39);
    const fnv1a = 0xe40c292c;
    expect(hashText('a', 0x811c9dc5)).toBe(mix(fnv1a));
  });

  test('of numbers that differ only beyond 32 bits differ', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 0, max: 2 ** 20 }),
        fc.integer({ min: 1, max: 2 ** 20 }),
        (seed, n, high) => {
          expect(hashNumber(seed, n)).not.toBe(hashNumber(seed, n + high * 2 ** 32));
        },
      ),
    );
  });

  test('of an interval tell its bounds apart, also from the same numbers as two intervals', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 1, max: 10000 }),
        fc.integer({ min: 1, max: 10000 }),
        (seed, first, more) => {
          const last = first + more;
          expect(hashInterval(seed, first, last)).not.toBe(hashInterval(seed, last, first));
          const parts = (hashInterval(seed, first, first) + hashInterval(seed, first + 1, last)) | 0;
          expect(hashInterval(seed, first, last)).not.toBe(parts);
        },
      ),
    );
  });

  test('of neighbouring numbers spread: a quarter of a million of them have hardly a collision', () => {
    const hashes = new Set<number>();
    const count = 250000;
    for (let n = 1; n <= count; n++) hashes.add(hashNumber(0x1234567, n));
    // By chance alone about count² / 2³³ = 7 pairs collide.
    expect(count - hashes.size).toBeLessThan(40);
  });
});

test('sums are the same when both lanes are', () => {
  expect(sameSum({ low: 1, high: 2 }, { low: 1, high: 2 })).toBe(true);
  expect(sameSum({ low: 1, high: 2 }, { low: 1, high: 3 })).toBe(false);
  expect(sameSum({ low: 1, high: 2 }, { low: 2, high: 2 })).toBe(false);
});
