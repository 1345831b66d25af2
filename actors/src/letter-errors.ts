/**
 * What a handler failed on, by the update: for whoever lists what is hidden.
 *
 * Invariant: it holds the latest thousand, whatever arrives.
 */

import type { Update } from '@grapevine/core';

const KEPT_AT_MOST = 1000;

export class LetterErrors {
  /** By the dots of the updates, the longest ago first. */
  readonly #errors = new Map<string, unknown>();

  /** What the handler threw; `undefined`: it is not known any more. */
  of(update: Update): unknown {
    return this.#errors.get(dotOf(update));
  }

  set(update: Update, error: unknown): void {
    this.#errors.set(dotOf(update), error);
    if (this.#errors.size <= KEPT_AT_MOST) return;
    for (const oldest of this.#errors.keys()) {
      this.#errors.delete(oldest);
      return;
    }
  }
}

function dotOf({ origin, sequence }: Update): string {
  return `${sequence}.${origin.key}`;
}
