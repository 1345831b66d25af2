/**
 * Local health: a node that has reason to doubt itself waits longer before it blames others.
 *
 * Invariants
 *  1. The score is a whole number from 0, healthy, to below `awarenessMax`.
 *  2. At score 0 every time is what the options say.
 *
 * Source: Lifeguard, section IV-A (local health multiplier). Beyond it, the time that this process stood still counts: the
 * paper learns of it only by what then goes wrong.
 */

export class Awareness {
  readonly #max: number;
  #score = 0;

  /** @param max by what the times are stretched at most */
  constructor(max: number) {
    this.#max = max;
  }

  get score(): number {
    return this.#score;
  }

  /** Bad news has positive points, good news negative ones. */
  count(points: number): void {
    this.#score = Math.min(this.#max - 1, Math.max(0, this.#score + points));
  }

  stretch(ms: number): number {
    return ms * (this.#score + 1);
  }
}
