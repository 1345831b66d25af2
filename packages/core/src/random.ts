/**
 * Chance as an argument: a generator that a seed determines, and the picks that gossip makes with one.
 *
 * Invariants
 *  1. The same seed gives the same numbers on every machine and Node version: only 32-bit integer arithmetic.
 *  2. A pick reads nothing but its arguments.
 *
 * Source: sfc32 of PractRand, Chris Doty-Humphrey 2010.
 */

const { imul } = Math;

/** Uniform in [0, 1). */
export type Random = () => number;

/** A generator with 2^128 states that `seed` determines. */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9 ^ seed;
  let b = imul(seed, 0x85ebca6b) ^ 0x243f6a88;
  let c = imul(seed ^ 0x27d4eb2f, 0xc2b2ae35);
  let counter = 1;
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + t) | 0;
    return (t >>> 0) / 4294967296;
  };
  for (let i = 0; i < 12; i++) next();
  return next;
}

/** A whole number in [0, bound). */
export function below(random: Random, bound: number): number {
  return Math.floor(random() * bound);
}

/**
 * `count` different items, uniformly; all of them, in random order, when there are not more.
 * The items are copied, never reordered.
 */
export function sample<T>(random: Random, items: readonly T[], count: number): T[] {
  // One of many is what gossip picks most: no need to copy them all.
  if (count === 1 && items.length > 0) return [items[below(random, items.length)] as T];
  const pool = items.slice();
  const size = Math.min(count, pool.length);
  for (let i = 0; i < size; i++) {
    const j = i + below(random, pool.length - i);
    const picked = pool[j] as T;
    pool[j] = pool[i] as T;
    pool[i] = picked;
  }
  pool.length = size;
  return pool;
}
