import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';

import { encodeSmallValue } from './small-value.ts';
import { decodeValue, encodeAnyValue, encodeValue } from './value.ts';

const text = fc.string({ maxLength: 40 });
const plain = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 10 },
    fc.nat(),
    fc.integer({ min: 0, max: 2 ** 32 - 1 }),
    fc.constantFrom(0, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, -1, 1.5, null, true, false),
    text,
    fc.dictionary(text, tie('value'), { maxKeys: 20 }),
    fc.array(tie('value'), { maxLength: 3 }),
  ),
}));

describe('a small value', () => {
  test('is encoded to the bytes of the general way, or left to it', () => {
    let small = 0;
    fc.assert(
      fc.property(plain.value, (value) => {
        const bytes = encodeSmallValue(value);
        if (bytes !== undefined) small++;
        return bytes === undefined || bytes === encodeAnyValue(value);
      }),
      { numRuns: 2000 },
    );
    expect(small).toBeGreaterThan(200);
  });

  test('is what most values are', () => {
    for (const value of [{ on: true }, { value: 12345 }, 'hello', 7, null, { a: { b: { c: '' } } }])
      expect(encodeSmallValue(value)).toBeDefined();
  });

  test('is not what is long, deep, negative, no plain object, or bears odd keys', () => {
    const deep = JSON.parse(`${'{"a":'.repeat(20)}1${'}'.repeat(20)}`) as unknown;
    const wide = Object.fromEntries(Array.from({ length: 16 }, (_, i) => [`k${i}`, i]));
    const large = Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`k${i}`, wide15()]));
    for (const value of ['x'.repeat(32), 'ä', -1, 0.5, [1], new Date(0), new Map(), deep, wide, large, 1n, undefined])
      expect(encodeSmallValue(value)).toBeUndefined();
    expect(encodeSmallValue(JSON.parse('{"__proto__":1}'))).toBeUndefined();
    expect(encodeSmallValue({ [Symbol('s')]: 1 })).toBeUndefined();
    expect(encodeSmallValue({ a: () => 1 })).toBeUndefined();
  });

  test('reads back', () => {
    const value = { id: 'n1', up: true, ports: { http: 80, alt: 8080, high: 65536, max: 4294967295 }, note: null };
    expect(decodeValue(encodeValue(value))).toEqual(value);
  });
});

function wide15(): Record<string, string> {
  return Object.fromEntries(Array.from({ length: 15 }, (_, i) => [`key-${i}`, 'x'.repeat(31)]));
}
