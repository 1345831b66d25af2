/**
 * The hashes that replicas compare: sums, in four 32-bit lanes, of terms that depend on the origin by SHA-256.
 *
 * Invariants
 *  1. A sum does not depend on the order of its terms, and a term that was added can be subtracted: O(1) per update.
 *  2. Sums, not XOR: a duplicate never cancels.
 *  3. Every peer, in whatever language, computes the same: docs/wire.md states each function.
 *  4. A term is one block of Chaskey's permutation between two keys of 128 bits, both from SHA-256 of the origin. It is no
 *     proof against a member that may add terms of its choice: ADR 21 says what it resists, and what stands behind it.
 *
 * Source: Mouha et al., "Chaskey: An Efficient MAC Algorithm for 32-bit Microcontrollers", 2014 (the permutation, 8 rounds);
 * the finaliser of MurmurHash3 (Appleby 2011) and FNV-1a (Fowler, Noll, Vo 1991), for buckets of ids.
 */

import { sha256, utf8 } from './sha256.ts';

const { imul } = Math;

export const LANES = 4;

/** A sum: four lanes, each a signed 32-bit integer. One that an older node tells has two, and equals none. */
export type Sum = Int32Array;

/** The two keys of an origin's terms, four words each. */
export type Seeds = Int32Array;

export function emptySum(): Sum {
  return new Int32Array(LANES);
}

export function sameSum(a: Readonly<Sum>, b: Readonly<Sum>): boolean {
  return a.length === b.length && a[0] === b[0] && a[1] === b[1] && a[2] === b[2] && a[3] === b[3];
}

/** Whether two lists of sums, their lanes side by side, have the same in this bucket. */
export function sameBucket(a: Int32Array, b: Int32Array, bucket: number): boolean {
  const at = LANES * bucket;
  return (
    a.length === b.length &&
    a[at] === b[at] &&
    a[at + 1] === b[at + 1] &&
    a[at + 2] === b[at + 2] &&
    a[at + 3] === b[at + 3]
  );
}

/** Adds a sum or term to the one of a bucket in a list of sums, or takes it out. A sum is a list with one bucket, 0. */
export function addTerm(sums: Int32Array, bucket: number, term: Readonly<Sum>, sign: 1 | -1): void {
  const at = LANES * bucket;
  sums[at] = (sums[at] as number) + sign * (term[0] as number);
  sums[at + 1] = (sums[at + 1] as number) + sign * (term[1] as number);
  sums[at + 2] = (sums[at + 2] as number) + sign * (term[2] as number);
  sums[at + 3] = (sums[at + 3] as number) + sign * (term[3] as number);
}

/** Of an origin, or of a node with the epoch of its hello: SHA-256 over the epoch in eight bytes and the name in UTF-8. */
export function seedsOf(name: string, epoch: number): Seeds {
  const text = utf8(name);
  const message = new Uint8Array(8 + text.length);
  const view = new DataView(message.buffer);
  view.setUint32(0, Math.floor(epoch / 4294967296));
  view.setUint32(4, epoch % 4294967296);
  message.set(text, 8);
  return sha256(message);
}

const ROUNDS = 8;
/** The latest term: one for all, so that a term costs no memory. */
const term = emptySum();

/** The term of a number under an origin's seeds. @returns scratch, which the next call overwrites */
export function hashDot(seeds: Seeds, number: number): Readonly<Sum> {
  const lowBits = number | 0;
  return permute(seeds, lowBits, (number - (lowBits >>> 0)) / 4294967296, 0, 0);
}

/** The term of an interval: the order of its bounds counts. @returns scratch, which the next call overwrites */
export function hashInterval(seeds: Seeds, first: number, last: number): Readonly<Sum> {
  const low = first | 0;
  const lowOfLast = last | 0;
  return permute(seeds, low, (first - (low >>> 0)) / 4294967296, lowOfLast, (last - (lowOfLast >>> 0)) / 4294967296);
}

function permute(seeds: Seeds, w0: number, w1: number, w2: number, w3: number): Readonly<Sum> {
  let v0 = w0 ^ (seeds[0] as number);
  let v1 = w1 ^ (seeds[1] as number);
  let v2 = w2 ^ (seeds[2] as number);
  let v3 = w3 ^ (seeds[3] as number);
  for (let round = 0; round < ROUNDS; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 13) | (v3 >>> 19)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 7) | (v1 >>> 25)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  term[0] = v0 ^ (seeds[4] as number);
  term[1] = v1 ^ (seeds[5] as number);
  term[2] = v2 ^ (seeds[6] as number);
  term[3] = v3 ^ (seeds[7] as number);
  return term;
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
