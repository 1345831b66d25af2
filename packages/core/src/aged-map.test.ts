import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { AgedMap } from './aged-map.ts';

describe('an aged map', () => {
  test('knows its oldest key as a plain Map does, whatever is set and deleted', () => {
    const step = fc.tuple(
      fc.constantFrom('set', 'set', 'delete', 'take', 'look', 'clear'),
      fc.integer({ min: 0, max: 6 }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const aged = new AgedMap<number, number>();
        const plain = new Map<number, number>();
        for (const [what, key] of steps) {
          const [oldest] = plain.keys();
          if (what === 'set') {
            aged.set(key, steps.length);
            plain.set(key, steps.length);
          } else if (what === 'delete') expect(aged.delete(key)).toBe(plain.delete(key));
          else if (what === 'take' && oldest !== undefined) {
            expect(aged.delete(aged.oldest as number)).toBe(true);
            plain.delete(oldest);
          } else if (what === 'clear') {
            aged.clear();
            plain.clear();
          } else expect(aged.oldest).toBe(oldest);
          expect([...aged]).toEqual([...plain]);
          expect(aged.size).toBe(plain.size);
        }
      }),
    );
  });
});
