/**
 * The removed rumors: what is no longer spread, by when its spreading ended, until it is old enough to be forgotten.
 *
 * Invariants
 *  1. Nothing is forgotten before its time, and everything at most a sixteenth of the time later.
 *  2. At most some twenty generations are kept, each as intervals, whatever the number of dots.
 */

import { Context, countDots, type Dots } from '../context.ts';

interface Generation {
  since: number;
  /** When the last of it was removed. */
  until: number;
  readonly dots: Context;
}

export class Removed {
  readonly #ttlMs: number;
  #generations: Generation[] = [];

  constructor(ttlMs: number) {
    this.#ttlMs = ttlMs;
  }

  /** How many dots. */
  get count(): number {
    return this.#generations.reduce((count, { dots }) => count + countDots(dots.dots()), 0);
  }

  add(dots: Dots, nowMs: number): void {
    if (dots.length === 0) return;
    this.#age(nowMs);
    let generation = this.#generations[this.#generations.length - 1];
    if (generation === undefined || nowMs - generation.since > this.#ttlMs / 16) {
      generation = { since: nowMs, until: nowMs, dots: new Context() };
      this.#generations.push(generation);
    }
    generation.until = Math.max(generation.until, nowMs);
    generation.dots.addAll(dots);
  }

  /** Takes out what was removed `ttlMs` ago or earlier. */
  takeOld(nowMs: number): Dots {
    this.#age(nowMs);
    const old = this.#generations.filter(({ until }) => until <= nowMs - this.#ttlMs);
    if (old.length === 0) return [];
    this.#generations = this.#generations.filter(({ until }) => until > nowMs - this.#ttlMs);
    // What was removed again later is in several generations, and in a set of dots once.
    const [{ dots: taken }, ...later] = old as [Generation, ...Generation[]];
    for (const { dots } of later) taken.addAll(dots.dots());
    return taken.dots();
  }

  /** The clock may have been set back: nothing was removed later than now. */
  #age(nowMs: number): void {
    for (const generation of this.#generations) {
      generation.since = Math.min(generation.since, nowMs);
      generation.until = Math.min(generation.until, nowMs);
    }
  }
}
