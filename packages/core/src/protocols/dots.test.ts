import { describe, expect, test } from '@jest/globals';
import { type Dots, countDots } from '../context.ts';
import { Origin } from '../origin.ts';
import { Update } from '../update.ts';
import { dotFrames, dotsOf, firstDots, without } from './dots.ts';

const a = new Origin('a', 1);
const b = new Origin('b', 1);

function anUpdate(origin: Origin, sequence: number): Update {
  return new Update(`id${sequence}`, 'v', 1, origin, sequence, undefined);
}

function dots(origin: Origin, ...intervals: number[]): Dots {
  return [{ origin, intervals, newest: 0 }];
}

describe('dots', () => {
  test('of updates are maximal intervals by origin, in whatever order they come', () => {
    const updates = [anUpdate(a, 2), anUpdate(a, 3), anUpdate(b, 1), anUpdate(a, 1), anUpdate(a, 7)];
    expect(dotsOf(updates)).toEqual([...dots(a, 1, 3, 7, 7), ...dots(b, 1, 1)]);
    expect(dotsOf([])).toEqual([]);
  });

  test('of chosen updates leave the others out', () => {
    const updates = [1, 2, 3, 4].map((sequence) => anUpdate(a, sequence));
    expect(dotsOf(updates, ({ sequence }) => sequence !== 1 && sequence !== 3)).toEqual(dots(a, 2, 2, 4, 4));
  });

  test('without others are what is left', () => {
    expect(without(dots(a, 1, 9), dots(a, 3, 4))).toEqual(dots(a, 1, 2, 5, 9));
    expect(without(dots(a, 1, 9), dots(b, 3, 4))).toEqual(dots(a, 1, 9));
  });

  test('are cut after so many', () => {
    const both = [...dots(a, 1, 3, 7, 9), ...dots(b, 1, 5)];
    expect(firstDots(both, 5)).toEqual(dots(a, 1, 3, 7, 8));
    expect(firstDots(both, 7)).toEqual([...dots(a, 1, 3, 7, 9), ...dots(b, 1, 1)]);
    expect(firstDots(both, 99)).toEqual(both);
  });

  test('are cut into frames that have all of them, in order', () => {
    const scattered = Array.from({ length: 10_000 }, (_, i) => [2 * i + 1, 2 * i + 1]).flat();
    const frames = dotFrames([...dots(a, ...scattered), ...dots(b, 1, 5)]);
    expect(frames.map((frame) => frame.map(({ intervals }) => intervals.length / 2))).toEqual([
      [4096],
      [4096],
      [1808, 1],
    ]);
    expect(frames.flat().flatMap(({ intervals }) => intervals)).toEqual([...scattered, 1, 5]);
    expect(countDots(frames.flat())).toBe(10_005);
    expect(dotFrames([])).toEqual([]);
  });
});
