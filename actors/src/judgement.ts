/**
 * The judgement of one offer: how much of it the handler is given at a time, and what came of it.
 *
 * The first try has all of the offer. After a failure the next try has half as much, from the front, down to a single
 * update. An update that the handler fails on alone `retries` times is a dead letter. After a success the next try has twice
 * as much. What a try settles is told at once, and the machine offers the rest again.
 *
 * Invariants
 *  1. A try that was begun and has not succeeded has failed, however the handler ended.
 *  2. The order of arrival is kept: a try begins with the first update that is not settled.
 *  3. Only an update that failed alone becomes a dead letter.
 *
 * Source: docs/handlers.md; the sizes move as the window of TCP does (RFC 5681), with deadlines as its losses.
 */

import { keepAll, type Offer, type Update, type Verdict } from '@grapevine/core';

import { DeadLetter } from './events.ts';
import type { Ruling } from './verdict.ts';

/** How much the handler is given at a time. It belongs to the instance, and outlives offers and crashes. */
export class Portions {
  #size = Infinity;
  /** Up to where the size doubles: half of what was last too much for a deadline. */
  #threshold = Infinity;
  /** How often the first update has failed alone. */
  tries: number = 0;

  get size(): number {
    return this.#size;
  }

  /** A batch begins: what an earlier one threw on says nothing of it. What was too much for a deadline may be so again. */
  begin(): void {
    this.#size = this.#threshold;
    this.tries = 0;
  }

  /** @param count how many updates the try had: fewer than it might have had say nothing of more */
  succeeded(count: number): void {
    this.tries = 0;
    if (count < this.#size) return;
    this.#size = this.#size < this.#threshold ? Math.min(2 * this.#size, this.#threshold) : this.#size + 1;
    if (this.#size > this.#threshold) this.#threshold = this.#size;
  }

  /** @param count how many updates the try had @param isLate whether it was a deadline that failed it */
  failed(count: number, isLate: boolean): void {
    this.#size = Math.max(1, count >> 1);
    if (isLate) this.#threshold = this.#size;
    if (count === 1) this.tries += 1;
  }

  /** The first update is given up. */
  gaveUp(): void {
    this.tries = 0;
  }
}

export interface JudgementOptions {
  readonly offer: Offer;
  readonly portions: Portions;
  /** How often a single update is tried. */
  readonly retries: number;
}

/** What a try has settled: the verdict on the first updates of the offer. */
export interface Outcome {
  readonly verdict: Verdict;
  /** Where the handler has failed on the first update for good. */
  readonly letter: DeadLetter | null;
}

export class Judgement {
  readonly offer: Offer;
  readonly #portions: Portions;
  readonly #retries: number;
  #trying: readonly Update[] | null = null;
  #outcome: Outcome | null = null;

  constructor({ offer, portions, retries }: JudgementOptions) {
    this.offer = offer;
    this.#portions = portions;
    this.#retries = retries;
    if (!offer.isRest) portions.begin();
  }

  /** Whether a try was begun and has neither succeeded nor failed. */
  get isTrying(): boolean {
    return this.#trying !== null;
  }

  /** What came of it; `null`: a further try is needed. */
  get outcome(): Outcome | null {
    return this.#outcome;
  }

  /** Begins a try. @returns the updates that it is about */
  next(): readonly Update[] {
    const { updates } = this.offer;
    this.#trying = this.#portions.size >= updates.length ? updates : updates.slice(0, this.#portions.size);
    return this.#trying;
  }

  /** The try was answered. */
  succeeded(ruling: Ruling): void {
    const tried = this.#trying as readonly Update[];
    this.#trying = null;
    this.#portions.succeeded(tried.length);
    this.#outcome = { verdict: this.#verdictOf(ruling, tried), letter: null };
  }

  /** The try failed. */
  failed(error: unknown, { isLate }: { readonly isLate: boolean }): void {
    const tried = this.#trying as readonly Update[];
    this.#trying = null;
    this.#portions.failed(tried.length, isLate);
    if (tried.length > 1 || this.#portions.tries < this.#retries) return;
    this.#portions.gaveUp();
    this.#outcome = { verdict: { type: 'dead', count: 1 }, letter: new DeadLetter(tried[0] as Update, error) };
  }

  #verdictOf({ reset, kept }: Ruling, tried: readonly Update[]): Verdict {
    const { updates, stored } = this.offer;
    const count = tried.length;
    if (reset) return { type: 'reset', kept, offeredArrival: stored.arrival, count };
    if (kept.size === 0) return { type: 'ignore', count };
    if (!tried.every(({ id, value }) => kept.get(id) === value)) return { type: 'keep', kept, count };
    return count === updates.length ? keepAll : { type: 'keep-all', count };
  }
}
