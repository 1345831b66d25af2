import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Awareness } from './awareness.ts';

describe('local health', () => {
  test('a healthy node waits as long as the options say', () => {
    expect(new Awareness(8).stretch(500)).toBe(500);
  });

  // memberlist, awareness_test.go.
  test('the score stays between 0 and below the maximum, and stretches by one more', () => {
    const awareness = new Awareness(8);
    const scores = [0, -1, -10, 1, -1, 10, -1, -1, -1, -1, -1, -1, -1, -1].map((points) => {
      awareness.count(points);
      return awareness.score;
    });
    expect(scores).toEqual([0, 0, 0, 1, 0, 7, 6, 5, 4, 3, 2, 1, 0, 0]);
    awareness.count(3);
    expect(awareness.stretch(1000)).toBe(4000);
  });

  test('never stretches where the maximum is 1', () => {
    const awareness = new Awareness(1);
    awareness.count(5);
    expect(awareness.stretch(1000)).toBe(1000);
  });

  test('is within its bounds whatever happens', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 20 }), fc.array(fc.integer({ min: -50, max: 50 })), (max, deltas) => {
        const awareness = new Awareness(max);
        for (const delta of deltas) {
          awareness.count(delta);
          expect(awareness.score).toBeGreaterThanOrEqual(0);
          expect(awareness.score).toBeLessThan(max);
        }
      }),
    );
  });
});
