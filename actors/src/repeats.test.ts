import { describe, expect, test } from '@jest/globals';

import { Repeats } from './repeats.ts';

describe('what is said of peers', () => {
  test('is new once a minute', () => {
    const repeats = new Repeats();
    expect([0, 1, 59_999, 60_000, 60_001].map((nowMs) => repeats.isNew('a', nowMs))).toEqual([
      true,
      false,
      false,
      true,
      false,
    ]);
  });

  test('is new for each of them, a thousand times a minute in all', () => {
    const repeats = new Repeats();
    const said = Array.from({ length: 1500 }, (_, i) => repeats.isNew(`peer ${i}`, i));
    expect(said.lastIndexOf(true)).toBe(999);
    expect(said.filter(Boolean)).toHaveLength(1000);
    // The first of them is a minute ago.
    expect([repeats.isNew('late', 60_000), repeats.isNew('later', 60_000)]).toEqual([true, false]);
  });
});
