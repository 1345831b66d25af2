import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { createHash } from 'node:crypto';
import { addTerm, emptySum, hashDot, hashInterval, hashNumber, hashText, mix, sameSum, seedsOf } from './hash.ts';
import { sha256 } from './sha256.ts';

const wholes = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const seeds = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });

describe('hashes', () => {
  test('are signed 32-bit integers, whatever goes in', () => {
    fc.assert(
      fc.property(seeds, wholes, wholes, fc.string(), (seed, a, b, text) => {
        for (const hash of [
          mix(seed),
          hashText(text, seed),
          hashNumber(seed, a),
          ...hashInterval(seedsOf(text, a), a, b),
        ])
          expect(hash).toBe(hash | 0);
      }),
    );
  });

  test('are what every other implementation computes', () => {
    // Reference vectors: the finaliser of MurmurHash3 and FNV-1a as published.
    expect(mix(0)).toBe(0);
    expect(mix(1) >>> 0).toBe(0x514e28b7);
    expect(mix(0xffffffff) >>> 0).toBe(0x81f16f39);
    const fnv1a = 0xe40c292c;
    expect(hashText('a', 0x811c9dc5)).toBe(mix(fnv1a));
  });

  test('of numbers that differ only beyond 32 bits differ', () => {
    fc.assert(
      fc.property(
        seeds,
        fc.integer({ min: 0, max: 2 ** 20 }),
        fc.integer({ min: 1, max: 2 ** 20 }),
        (seed, n, high) => {
          expect(hashNumber(seed, n)).not.toBe(hashNumber(seed, n + high * 2 ** 32));
        },
      ),
    );
  });

  test('of an interval tell its bounds apart, also from the same numbers as two intervals', () => {
    const origin = seedsOf('node', 1);
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 10000 }), fc.integer({ min: 1, max: 10000 }), (first, more) => {
        const last = first + more;
        const whole = hashInterval(origin, first, last).slice();
        expect(whole).not.toEqual(hashInterval(origin, last, first).slice());
        const parts = emptySum();
        addTerm(parts, 0, hashInterval(origin, first, first), 1);
        addTerm(parts, 0, hashInterval(origin, first + 1, last), 1);
        expect(whole).not.toEqual(parts);
      }),
    );
  });

  test('of neighbouring numbers spread: a quarter of a million of them have hardly a collision', () => {
    const hashes = new Set<number>();
    const count = 250000;
    for (let n = 1; n <= count; n++) hashes.add(hashNumber(0x1234567, n));
    // By chance alone about count² / 2³³ = 7 pairs collide.
    expect(count - hashes.size).toBeLessThan(40);
  });
});

describe('sums', () => {
  test('are the same when all four lanes are, and never the same as the two lanes of an older node', () => {
    const sum = Int32Array.of(1, 2, 3, 4);
    expect(sameSum(sum, sum.slice())).toBe(true);
    for (let lane = 0; lane < 4; lane++) {
      const other = sum.slice();
      other[lane] = 9;
      expect(sameSum(sum, other)).toBe(false);
    }
    expect(sameSum(sum, sum.slice(0, 2))).toBe(false);
    expect(sameSum(sum.slice(0, 2), sum)).toBe(false);
  });

  test('come back to what they were when what was added is taken out, in any order', () => {
    fc.assert(
      fc.property(fc.array(wholes, { maxLength: 20 }), (numbers) => {
        const sum = Int32Array.of(1, -2, 3, -4);
        for (const number of numbers) addTerm(sum, 0, hashDot(seedsOf('node', 1), number), 1);
        for (const number of numbers.toReversed()) addTerm(sum, 0, hashDot(seedsOf('node', 1), number), -1);
        expect(sum).toEqual(Int32Array.of(1, -2, 3, -4));
      }),
    );
  });
});

describe('the seeds of an origin', () => {
  test('are SHA-256 over its epoch and name, as Node.js computes it', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), wholes, (name, epoch) => {
        const bytes = Buffer.alloc(8);
        bytes.writeBigUInt64BE(BigInt(epoch));
        expect(bytesOf(seedsOf(name, epoch))).toEqual(createHash('sha256').update(bytes).update(name).digest());
      }),
    );
  });

  test.each([0, 1, 55, 56, 63, 64, 65, 119, 120, 1000])('SHA-256 of %i bytes is that of Node.js', (length) => {
    const message = Uint8Array.from({ length }, (_, index) => index * 7);
    expect(bytesOf(sha256(message))).toEqual(createHash('sha256').update(message).digest());
  });

  test('a term is what docs/wire.md says: eight rounds of Chaskey between two keys', () => {
    // Chaskey's published rounds, written out anew with numbers that cannot overflow.
    const words = seedsOf('node-a', 1_763_866_839_000);
    const v = [...Int32Array.of(7, 0, 0, 0)].map((word, i) => (word ^ (words[i] as number)) >>> 0);
    const add = (a: number, b: number): number => (a + b) % 2 ** 32;
    const rotate = (a: number, by: number): number => ((a * 2 ** by) % 2 ** 32) + Math.floor(a / 2 ** (32 - by));
    const xor = (a: number, b: number): number => (a ^ b) >>> 0;
    let [v0, v1, v2, v3] = v as [number, number, number, number];
    for (let round = 0; round < 8; round++) {
      v0 = add(v0, v1);
      v1 = xor(rotate(v1, 5), v0);
      v0 = rotate(v0, 16);
      v2 = add(v2, v3);
      v3 = xor(rotate(v3, 8), v2);
      v0 = add(v0, v3);
      v3 = xor(rotate(v3, 13), v0);
      v2 = add(v2, v1);
      v1 = xor(rotate(v1, 7), v2);
      v2 = rotate(v2, 16);
    }
    expect([...hashDot(words, 7)]).toEqual([v0, v1, v2, v3].map((word, i) => (word ^ (words[4 + i] as number)) | 0));
  });
});

function bytesOf(words: Int32Array): Buffer {
  const bytes = Buffer.alloc(4 * words.length);
  for (const [i, word] of words.entries()) bytes.writeInt32BE(word, 4 * i);
  return bytes;
}
