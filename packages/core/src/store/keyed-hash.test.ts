import { expect, test } from '@jest/globals';
import fc from 'fast-check';
import { hashSequence, KeyedHash } from './keyed-hash.ts';

test('equal texts have equal hashes, however they came to be, and another key has others', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', minLength: 1 }), fc.nat(), (text, cut) => {
      const hash = new KeyedHash([1, 2]);
      const joined = text.slice(0, cut % text.length) + text.slice(cut % text.length);
      expect(hash.text(joined)).toBe(hash.text(text));
      expect(new KeyedHash([1, 3]).text(text)).not.toBe(hash.text(text));
    }),
    { numRuns: 300 },
  );
});

test('texts that differ in one character, in length, or in what a byte would cut off, hardly ever have one hash', () => {
  const hash = new KeyedHash([7, 8]);
  const texts = new Set<string>();
  for (let i = 0; i < 20_000; i++) {
    texts.add(`k${i}`);
    texts.add(`${'\0'.repeat(i % 40)}${i}`);
    texts.add(`${String.fromCharCode(0x100 + (i % 0x700))}${i >> 3}`);
  }
  const all = new Set([...texts].map((text) => hash.text(text)));
  // Of 60,000 random ones, less than one pair is equal on the average.
  expect(texts.size - all.size).toBeLessThan(8);
  const tops = new Set(Array.from({ length: 4096 }, (_, i) => hash.text(`id${i}`) >>> 20));
  // 1 − 1/e of them.
  expect(tops.size).toBeGreaterThan(2400);
});

test('sequence numbers of one origin that begin or end alike are spread', () => {
  const [key0, key1] = new KeyedHash([7, 8]).keyOf(3);
  const numbers: number[] = [];
  for (let i = 0; i < 4096; i++) numbers.push(i, 2 ** 40 + i * 2 ** 20);
  expect(new Set(numbers.map((n) => hashSequence(key0, key1, n))).size).toBeGreaterThan(numbers.length - 8);
});
