import { describe, expect, test } from '@jest/globals';
import { median, percentile, ratios, slope, spread } from './statistics.ts';

describe('median', () => {
  test('the middle of an odd number of values, whatever their order', () => {
    expect(median([10, 9, 2])).toBe(9);
  });

  test('the mean of the two in the middle of an even number', () => {
    expect(median([100, 4, 2, 1])).toBe(3);
  });

  test('of nothing is not a number', () => {
    expect(median([])).toBeNaN();
  });

  test('leaves its argument as it was', () => {
    const values = [3, 1, 2];
    median(values);
    expect(values).toEqual([3, 1, 2]);
  });
});

describe('percentile', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => 100 - index);

  test('is the nearest rank: 99 of the numbers 1 to 100', () => {
    expect(percentile(hundred, 0.99)).toBe(99);
    expect(percentile(hundred, 0.5)).toBe(50);
  });

  test('the share 1 is the largest value and the share 0 the smallest', () => {
    expect(percentile(hundred, 1)).toBe(100);
    expect(percentile(hundred, 0)).toBe(1);
  });

  test('of few values is one of them, not a mean', () => {
    expect(percentile([1, 5], 0.99)).toBe(5);
    expect(percentile([1, 5], 0.5)).toBe(1);
  });

  test('of nothing is not a number', () => {
    expect(percentile([], 0.5)).toBeNaN();
  });
});

test('a spread is the median with the extremes', () => {
  expect(spread([3, 1, 10])).toEqual({ median: 3, min: 1, max: 10 });
});

test('a run that did not finish is in no spread', () => {
  expect(spread([NaN, 3, 1])).toEqual({ median: 2, min: 1, max: 3 });
  expect(spread([NaN]).median).toBeNaN();
});

test('ratios are taken run by run, and runs without a floor are left out', () => {
  expect(ratios([2, 9, 5], [1, 3])).toEqual([2, 3]);
});

describe('slope', () => {
  const line = Array.from({ length: 20 }, (_, x) => ({ x, y: 3 + 0.5 * x }));

  test('of a line is its own', () => {
    expect(slope(line)).toBeCloseTo(0.5);
  });

  test('is not moved by a fifth of the points that are far out', () => {
    expect(slope(line.map((point, index) => (index % 5 === 2 ? { ...point, y: 1000 } : point)))).toBeCloseTo(0.5, 1);
  });

  test('of points without two places is not a number', () => {
    expect(slope([{ x: 1, y: 2 }])).toBeNaN();
    expect(slope([])).toBeNaN();
  });
});
