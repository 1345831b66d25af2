import { describe, expect, test } from '@jest/globals';
import { MAX_ACCUSERS } from './messages.ts';
import { resolveSwim } from './options.ts';
import { Suspicion, suspicionTimes } from './suspicion.ts';

const lan = resolveSwim({}, []);
const TIMES = { minMs: 2000, maxMs: 30_000, wanted: 3 };

describe('the time to refute', () => {
  test.each([
    [2, 4000],
    [10, 4000],
    [100, 8000],
    [1000, 12_000],
  ])('grows with the logarithm of the cluster: of %i at least %i ms', (nodes, minMs) => {
    expect(suspicionTimes(lan, nodes).minMs).toBeCloseTo(minMs);
    expect(suspicionTimes(lan, nodes).maxMs).toBeCloseTo(6 * minMs);
  });

  test('is a multiple of the interval of probes', () => {
    expect(suspicionTimes(resolveSwim({ profile: 'wan' }, []), 9)).toEqual({
      minMs: 30_000,
      maxMs: 180_000,
      wanted: 4,
    });
  });

  test('waits for two confirmations, where there are two who can confirm', () => {
    expect([1, 2, 3, 4, 5].map((nodes) => suspicionTimes(lan, nodes).wanted)).toEqual([0, 0, 0, 2, 2]);
  });

  test('waits for none where the multiplier is small, and for no more than a record can bear', () => {
    expect(suspicionTimes({ ...lan, suspicionMult: 1 }, 100).wanted).toBe(0);
    expect(suspicionTimes({ ...lan, suspicionMult: 1000 }, 2000).wanted).toBe(MAX_ACCUSERS - 1);
  });

  // The numbers of memberlist's own test of the formula of Lifeguard, section IV-B: k = 3, from 2 to 30 seconds.
  test.each([
    [0, 30_000],
    [1, 16_000],
    [2, 7810],
    [3, 2000],
    [4, 2000],
  ])('after %i confirmations ends %i ms after it began', (confirmations, ms) => {
    const suspicion = new Suspicion(TIMES, ['x'], 100);
    for (let i = 0; i < confirmations; i++) suspicion.confirm([`c${i}`]);
    expect(Math.abs(suspicion.deadlineMs - 100 - ms)).toBeLessThan(5);
  });

  test('is the minimum at once where none is waited for, and where both are equal', () => {
    expect(new Suspicion({ ...TIMES, wanted: 0 }, ['x'], 0).deadlineMs).toBe(2000);
    expect(new Suspicion({ ...TIMES, maxMs: 2000 }, ['x'], 0).deadlineMs).toBe(2000);
  });
});

describe('accusers', () => {
  test('who accuses twice confirms nothing', () => {
    const suspicion = new Suspicion(TIMES, ['x'], 0);
    expect(suspicion.confirm(['x'])).toBe(false);
    expect(suspicion.confirm(['x', 'y'])).toBe(true);
    expect(suspicion.confirm(['y'])).toBe(false);
    expect(suspicion.accusers).toEqual(['x', 'y']);
  });

  test('more than are needed are not kept', () => {
    const suspicion = new Suspicion(TIMES, ['x'], 0);
    expect(suspicion.confirm(['a', 'b', 'c', 'd', 'e'])).toBe(true);
    expect(suspicion.confirm(['f'])).toBe(false);
    expect(suspicion.accusers).toEqual(['x', 'a', 'b', 'c']);
  });

  test('several that come with the first report count as confirmations', () => {
    expect(new Suspicion(TIMES, ['x', 'y', 'z', 'w'], 0).deadlineMs).toBe(2000);
  });
});
