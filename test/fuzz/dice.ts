/** Choices by a seed: every session of a liar has dice of its own, so that its frames depend on nothing else. */
import { below, type Random, seededRandom } from '@grapevine/core';

const { imul } = Math;

export class Dice {
  readonly random: Random;

  constructor(random: Random) {
    this.random = random;
  }

  /** Dice that these numbers determine together. */
  static of(...seeds: readonly number[]): Dice {
    let mixed = 0x9e3779b9;
    for (const seed of seeds) mixed = imul(mixed ^ seed, 0x85ebca6b) ^ (mixed >>> 13);
    return new Dice(seededRandom(mixed));
  }

  /** A whole number from 0 to `bound` less 1. */
  below(bound: number): number {
    return below(this.random, bound);
  }

  chance(share: number): boolean {
    return this.random() < share;
  }

  pick<T>(items: readonly T[]): T {
    return items[below(this.random, items.length)] as T;
  }

  /** One of the items, each as often as its weight says. */
  weighted<T>(items: readonly (readonly [weight: number, item: T])[]): T {
    let left = this.random() * items.reduce((sum, [weight]) => sum + weight, 0);
    for (const [weight, item] of items) {
      left -= weight;
      if (left < 0) return item;
    }
    return (items.at(-1) as readonly [number, T])[1];
  }

  bytes(length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let i = 0; i < length; i++) bytes[i] = this.below(256);
    return bytes;
  }
}
