/**
 * What a handler failed on, by the update: for whoever lists what is hidden.
 *
 * Invariant: it holds the latest thousand, whatever arrives.
 */

import { AgedMap, type Update } from '@grapevine/core';

const KEPT_AT_MOST = 1000;

export class LetterErrors {
  /** By the dots of the updates, the longest ago first. */
  readonly #errors = new AgedMap<string, unknown>();

  /** What the handler threw; `undefined`: it is not known any more. */
  of(update: Update): unknown {
    return this.#errors.get(dotOf(update));
  }

  set(update: Update, error: unknown): void {
    this.#errors.set(dotOf(update), error);
    if (this.#errors.size > KEPT_AT_MOST) this.#errors.delete(this.#errors.oldest as string);
  }
}

function dotOf({ origin, sequence }: Update): string {
  return `${sequence}.${origin.key}`;
}
