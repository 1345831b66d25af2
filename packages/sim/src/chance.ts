/**
 * Chance for a simulation: independent streams out of one seed, and draws from ranges.
 *
 * Invariants
 *  1. A stream depends on the seed and its own numbers alone: what happens on one link moves no draw on another.
 *  2. No transcendental function: they differ in the last bit between engines.
 */

import { below, type Random, seededRandom } from '@grapevine/core';

const { imul } = Math;

/** From the first to the second, both included. */
export type Range = readonly [least: number, most: number];

/** A stream of its own for these numbers. */
export function stream(seed: number, ...numbers: readonly number[]): Random {
  let mixed = imul(seed ^ 0x5bd1e995, 0x9e3779b1);
  for (const number of numbers) {
    mixed = imul(mixed ^ number, 0x85ebca6b);
    mixed ^= mixed >>> 13;
  }
  return seededRandom(mixed);
}

/** A whole number of the range. */
export function within(random: Random, [least, most]: Range): number {
  return least + below(random, most - least + 1);
}

/** A number of the range, whole or not. */
export function shareWithin(random: Random, [least, most]: Range): number {
  return least + random() * (most - least);
}

export function chance(random: Random, share: number): boolean {
  return random() < share;
}

export function pick<T>(random: Random, items: readonly T[]): T {
  return items[below(random, items.length)] as T;
}
