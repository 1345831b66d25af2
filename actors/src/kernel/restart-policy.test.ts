import { describe, expect, test } from '@jest/globals';

import { restartDelayMs, RestartIntensity } from './restart-policy.ts';

describe('restart intensity', () => {
  test('admits as many restarts as are allowed, and not one more', () => {
    const intensity = new RestartIntensity(2, 1000);
    expect([0, 1, 2].map((now) => intensity.admits(now))).toEqual([true, true, false]);
  });

  test('forgets restarts that are older than the period', () => {
    const intensity = new RestartIntensity(2, 1000);
    expect([0, 500, 1000, 1499].map((now) => intensity.admits(now))).toEqual([true, true, true, false]);
  });

  test('of zero admits none', () => {
    expect(new RestartIntensity(0, 1000).admits(0)).toBe(false);
  });
});

describe('backoff', () => {
  const backoff = { minMs: 100, maxMs: 1000 };

  test('restarts at once the first time, then doubles up to its longest', () => {
    const highest = [1, 2, 3, 4, 5, 6, 100].map((attempt) => restartDelayMs(attempt, backoff, () => 1));
    expect(highest).toEqual([0, 100, 200, 400, 800, 1000, 1000]);
  });

  test('is jittered between half and all of that', () => {
    expect(restartDelayMs(3, backoff, () => 0)).toBe(100);
    expect(restartDelayMs(3, backoff, () => 0.5)).toBe(150);
  });
});
