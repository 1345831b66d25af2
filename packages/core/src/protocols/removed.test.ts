import { describe, expect, test } from '@jest/globals';
import { countDots, type Dots } from '../context.ts';
import { Origin } from '../origin.ts';
import { Removed } from './removed.ts';

const a = new Origin('a', 1);

function dots(...intervals: number[]): Dots {
  return [{ origin: a, intervals, newest: 0 }];
}

describe('removed rumors', () => {
  test('are old `ttl` after their removal, not before, though others of their generation are', () => {
    const removed = new Removed(1600);
    removed.add(dots(1, 5), 0);
    removed.add(dots(6, 9), 100);
    expect(removed.takeOld(1699)).toEqual([]);
    expect(countDots(removed.takeOld(1700))).toBe(9);
    expect(removed.count).toBe(0);
  });

  test('are in a new generation after a sixteenth of `ttl`, so that none waits for those after it', () => {
    const removed = new Removed(1600);
    for (let at = 0; at <= 1000; at += 10) removed.add(dots(at + 1, at + 1), at);
    expect(countDots(removed.takeOld(1700))).toBeGreaterThan(0);
    expect(removed.count).toBeGreaterThan(0);
  });

  test('are a set of dots, an entry per origin, also where some were removed again', () => {
    const removed = new Removed(1600);
    removed.add(dots(1, 5), 0);
    removed.add(dots(4, 9), 200);
    expect(removed.takeOld(1900)).toEqual(dots(1, 9));
    expect(removed.count).toBe(0);
  });

  test('are old `ttl` after a clock was set back, and need not wait until it has caught up', () => {
    const removed = new Removed(1600);
    removed.add(dots(1, 5), 3_600_000);
    expect(removed.takeOld(1000)).toEqual([]);
    removed.add(dots(6, 9), 1100);
    expect(removed.takeOld(2599)).toEqual([]);
    expect(countDots(removed.takeOld(2700))).toBe(9);
  });

  test('of nothing make no generation', () => {
    const removed = new Removed(0);
    removed.add([], 0);
    expect(removed.takeOld(1)).toEqual([]);
  });
});
