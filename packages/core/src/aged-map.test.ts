import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
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
          const [oldest = -1] = plain.keys();
          for (const map of [aged, plain]) {
            if (what === 'set') map.set(key, steps.length);
            else if (what === 'delete') map.delete(key);
            else if (what === 'clear') map.clear();
            else if (what === 'take') map.delete(map instanceof AgedMap ? (map.oldest ?? -1) : oldest);
          }
          expect([...aged]).toEqual([...plain]);
          expect(aged.size).toBe(plain.size);
          expect(what === 'look' ? aged.oldest : undefined).toBe(what === 'look' ? [...plain.keys()][0] : undefined);
        }
      }),
    );
  });

  test('keeps nothing of what was deleted, though nobody asks for the oldest', async () => {
    setFlagsFromString('--expose-gc');
    const collect = runInNewContext('gc') as () => void;
    const window = 10;
    const aged = new AgedMap<number, object>();
    aged.set(0, {});
    expect(aged.oldest).toBe(0);
    const values: WeakRef<object>[] = [];
    for (let key = 1; key <= 5000; key++) {
      const value = { key };
      values.push(new WeakRef(value));
      aged.set(key, value);
      aged.delete(key - window);
    }
    await new Promise((resolve) => setImmediate(resolve));
    collect();
    const kept = values.filter((value) => value.deref() !== undefined).length;
    expect(aged.size).toBe(window);
    expect(kept).toBeLessThanOrEqual(4 * window);
  });
});
