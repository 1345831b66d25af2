import { describe, expect, test } from '@jest/globals';

import { Effort } from './effort.ts';

const granted = (effort: Effort, peer: string, steps: number, times: number, nowMs: number): number =>
  Array.from({ length: times }, () => effort.take(peer, steps, nowMs)).filter(Boolean).length;

describe('what peers may have us do', () => {
  test('is hardly bounded where there is little', () => {
    expect(granted(new Effort(), 'a', 100, 9_000, 0)).toBe(9_000);
  });

  test('is some walks where there is much, and as many a second', () => {
    const effort = new Effort();
    expect(granted(effort, 'a', 100_000, 1000, 0)).toBe(10);
    expect(granted(effort, 'a', 100_000, 1000, 1000)).toBe(10);
    expect(granted(effort, 'a', 100_000, 1000, 1100)).toBe(2);
    expect(granted(effort, 'b', 100_000, 1000, 1100)).toBe(10);
  });

  test('is four walks, and one a second, however much there is', () => {
    const effort = new Effort();
    expect([0, 500, 1000, 5000].map((nowMs) => granted(effort, 'a', 1e9, 100, nowMs))).toEqual([4, 0, 1, 4]);
  });

  test('is neither more nor less where the clock is set back', () => {
    const effort = new Effort();
    granted(effort, 'a', 1e9, 4, 10_000);
    expect([0, 999, 1000].map((nowMs) => effort.take('a', 1e9, nowMs))).toEqual([false, false, true]);
  });

  test('is no more under names that were made up long ago', () => {
    const effort = new Effort();
    for (let i = 0; i < 10_000; i++) expect(effort.take(`peer ${i}`, 1e9, i)).toBe(true);
    expect(granted(effort, 'peer 9999', 1e9, 100, 9999)).toBe(3);
  });
});
