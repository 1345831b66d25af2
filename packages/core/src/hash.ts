/**
 * The hashes that replicas compare: sums, in two 32-bit lanes, of well-mixed integers.
 *
 * Invariants
 *  1. A sum does not depend on the order of its terms, and a term that was added can be subtracted: O(1) per update.
 *  2. Sums, not XOR: a duplicate never cancels.
 *  3. Every peer, in whatever language, computes the same: docs/wire.md states each function.
 *
 * Source: the finaliser of MurmurHash3 (Appleby 2011) and FNV-1a (Fowler, Noll, Vo 1991).
 */

const { imul } = Math;

/** A sum in two lanes, each a signed 32-bit integer. */
export interface Sum {
  low: number;
  high: number;
}

export function sameSum(a: Readonly<Sum>, b: Readonly<Sum>): boolean {
  return a.low === b.low && a.high === b.high;
}

/** Spreads every bit of a 32-bit integer over all bits. */
export function mix(value: number): number {
  let h = value;
  h = imul(h ^ (h >>> 16), 0x85ebca6b);
  h = imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** FNV-1a over the UTF-16 code units of a text, then mixed. */
export function hashText(text: string, seed: number): number {
  let h = seed;
  for (let i = 0; i < text.length; i++) h = imul(h ^ text.charCodeAt(i), 0x01000193);
  return mix(h);
}

/** Hash of one whole number up to 2^53 under a seed. */
export function hashNumber(seed: number, value: number): number {
  const lowBits = value | 0;
  const highBits = (value - (lowBits >>> 0)) / 4294967296;
  return mix(imul(seed ^ lowBits, 0x9e3779b1) + highBits);
}

/** Hash of an interval of whole numbers under a seed: the order of its bounds counts. */
export function hashInterval(seed: number, first: number, last: number): number {
  return mix(hashNumber(seed, first) + imul(hashNumber(~seed, last), 0x27d4eb2f));
}
