/**
 * The judgement of one offer: what was tried, what came of it, and what is given up.
 *
 * A batch that the handler fails on is offered again, `retries` times in all. If it still fails, it is halved and each
 * half tried once, and so on down to the single updates that the handler fails on. Only those become dead letters.
 *
 * Invariants
 *  1. A try that was begun and has not succeeded has failed, however the handler ended.
 *  2. The order of arrival is kept: a later update is offered after an earlier one.
 *  3. It ends: once halving has begun, after `patienceMs` whatever is left is given up.
 *
 * Source: docs/architecture.md.
 */

import { type Bytes, keepAll, type Offer, type Update, type Verdict } from '@grapevine/core';

import { DeadLetter } from './events.ts';
import type { Ruling } from './verdict.ts';

export interface JudgementOptions {
  readonly offer: Offer;
  /** How often a batch, and in the end a single update, is tried. */
  readonly retries: number;
  /** How long the halving may take, in milliseconds. */
  readonly patienceMs: number;
}

export class Judgement {
  readonly offer: Offer;
  readonly letters: DeadLetter[] = [];
  readonly #options: JudgementOptions;
  /** What is still to be judged; the first is next. */
  readonly #groups: (readonly Update[])[];
  #kept = new Map<string, Bytes>();
  #reset = false;
  #tries = 0;
  #isTrying = false;
  #givesUpAt: number | null = null;
  #error: unknown = new Error('the handler ended before it answered');

  constructor(options: JudgementOptions) {
    this.#options = options;
    this.offer = options.offer;
    this.#groups = [options.offer.updates];
  }

  /** Begins the next try. A try that was under way has failed. @returns `null` when all is judged */
  next(nowMs: number): readonly Update[] | null {
    if (this.#isTrying) this.#failed(nowMs);
    const group = this.#groups[0];
    if (group === undefined) return null;
    this.#tries += 1;
    this.#isTrying = true;
    return group;
  }

  /** Notes why the try is about to fail. */
  note(error: unknown): void {
    this.#error = error;
  }

  /** The try was answered. */
  succeeded({ reset, kept }: Ruling): void {
    this.#isTrying = false;
    this.#tries = 0;
    this.#groups.shift();
    if (reset) {
      this.#reset = true;
      this.#kept = new Map(kept);
    } else for (const [id, bytes] of kept) this.#kept.set(id, bytes);
  }

  /** The verdict on the whole offer, once all of it is judged. */
  verdict(): Verdict {
    const { updates, stored } = this.offer;
    if (this.#reset) return { type: 'reset', kept: this.#kept, offeredArrival: stored.arrival };
    if (this.letters.length === updates.length) return { type: 'dead' };
    if (this.#kept.size === 0) return { type: 'ignore' };
    if (updates.every(({ id, value }) => this.#kept.get(id) === value)) return keepAll;
    return { type: 'keep', kept: this.#kept };
  }

  #failed(nowMs: number): void {
    this.#isTrying = false;
    if (this.#givesUpAt !== null && nowMs >= this.#givesUpAt) {
      for (const group of this.#groups.splice(0)) this.#giveUp(group);
      return;
    }
    const group = this.#groups[0] as readonly Update[];
    const isHalving = this.#givesUpAt !== null && group.length > 1;
    if (this.#tries < (isHalving ? 1 : this.#options.retries)) return;
    this.#tries = 0;
    this.#groups.shift();
    if (group.length === 1) {
      this.#giveUp(group);
      return;
    }
    this.#givesUpAt ??= nowMs + this.#options.patienceMs;
    const middle = group.length >> 1;
    this.#groups.unshift(group.slice(0, middle), group.slice(middle));
  }

  #giveUp(group: readonly Update[]): void {
    for (const update of group) this.letters.push(new DeadLetter(update, this.#error));
  }
}
