/**
 * The hashes of a store's own tables, under a secret key, so that nobody outside can choose ids or dots that collide there.
 *
 * Invariants
 *  1. They never leave this process: no peer has to compute the same.
 *  2. Equal texts have equal hashes, however V8 keeps them.
 *
 * Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF", 2012, in its variant of 32-bit words (HalfSipHash) with
 * one round a word and three at the end, as Linux uses it for hash tables.
 */

import { mix } from '../hash.ts';

const { imul } = Math;

/** Two words of 32 bits. */
export type TableKey = readonly [number, number];

/** Tells texts with other characters than ASCII from ASCII texts whose bytes are the same. */
const WIDE = 0xee;
const END = 0xff;

export class KeyedHash {
  readonly #key0: number;
  readonly #key1: number;

  constructor([key0, key1]: TableKey) {
    this.#key0 = key0 | 0;
    this.#key1 = key1 | 0;
  }

  /** A signed integer of 32 bits. */
  text(text: string): number {
    const key0 = this.#key0;
    const key1 = this.#key1;
    const { length } = text;
    let v0 = key0;
    let v1 = key1;
    let v2 = key0 ^ 0x6c796765;
    let v3 = key1 ^ 0x74656462;
    let all = 0;
    // One word for four characters, and one for the rest with the length.
    for (let i = 0; i <= length; i += 4) {
      let word = 0;
      if (i + 4 <= length) {
        const a = text.charCodeAt(i);
        const b = text.charCodeAt(i + 1);
        const c = text.charCodeAt(i + 2);
        const d = text.charCodeAt(i + 3);
        all |= a | b | c | d;
        word = a | (b << 8) | (c << 16) | (d << 24);
      } else {
        for (let j = i; j < length; j++) {
          const code = text.charCodeAt(j);
          all |= code;
          word |= code << (8 * (j - i));
        }
        word |= length << 24;
      }
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    return all < 128 ? finish(v0, v1, v2 ^ END, v3) : this.#wide(text);
  }

  /** Two characters a word: four would overlap. */
  #wide(text: string): number {
    const { length } = text;
    let v0 = this.#key0;
    let v1 = this.#key1;
    let v2 = this.#key0 ^ 0x6c796765 ^ WIDE;
    let v3 = this.#key1 ^ 0x74656462;
    for (let i = 0; i <= length + 1; i += 2) {
      const low = i < length ? text.charCodeAt(i) : length & 0xffff;
      const high = i + 1 < length ? text.charCodeAt(i + 1) : length & 0xffff;
      const word = low | (high << 16);
      v3 ^= word;
      v0 = (v0 + v1) | 0;
      v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
      v0 = (v0 << 16) | (v0 >>> 16);
      v2 = (v2 + v3) | 0;
      v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
      v0 = (v0 + v3) | 0;
      v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
      v2 = (v2 + v1) | 0;
      v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
      v2 = (v2 << 16) | (v2 >>> 16);
      v0 ^= word;
    }
    return finish(v0, v1, v2 ^ END, v3);
  }

  /** A key of its own for each of the numbers that a store gives to origins. */
  keyOf(number: number): TableKey {
    return [finish(this.#key0 ^ number, this.#key1, 1, 2), finish(this.#key0, this.#key1 ^ number, 3, 4)];
  }
}

function finish(w0: number, w1: number, w2: number, w3: number): number {
  let v0 = w0;
  let v1 = w1;
  let v2 = w2;
  let v3 = w3;
  for (let round = 0; round < 3; round++) {
    v0 = (v0 + v1) | 0;
    v1 = ((v1 << 5) | (v1 >>> 27)) ^ v0;
    v0 = (v0 << 16) | (v0 >>> 16);
    v2 = (v2 + v3) | 0;
    v3 = ((v3 << 8) | (v3 >>> 24)) ^ v2;
    v0 = (v0 + v3) | 0;
    v3 = ((v3 << 7) | (v3 >>> 25)) ^ v0;
    v2 = (v2 + v1) | 0;
    v1 = ((v1 << 13) | (v1 >>> 19)) ^ v2;
    v2 = (v2 << 16) | (v2 >>> 16);
  }
  return v1 ^ v3;
}

/**
 * Of a sequence number under the key of its origin: one multiplication for each half, since numbers below 2^32 of one origin
 * cannot collide in 32 bits anyway, and where they fall depends on the key.
 */
export function hashSequence(key0: number, key1: number, sequence: number): number {
  const low = sequence | 0;
  const high = (sequence - (low >>> 0)) / 4294967296;
  return mix(imul(low ^ key0, 0x9e3779b1) + imul(high ^ key1, 0x85ebca6b));
}
