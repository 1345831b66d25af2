import { describe, expect, test } from '@jest/globals';

import { Sample } from './sample.ts';

describe('a sample', () => {
  test('has percentiles by nearest rank, whatever the order of what was measured', () => {
    const sample = new Sample();
    expect(sample.percentile(50)).toBeUndefined();
    for (const value of [5, 1, 4, 2, 3, 10, 9, 8, 7, 6]) sample.add(value);
    expect([0, 50, 90, 99, 100].map((percent) => sample.percentile(percent))).toEqual([1, 5, 9, 10, 10]);
    expect(sample.latest(2)).toEqual([7, 6]);
  });
});
