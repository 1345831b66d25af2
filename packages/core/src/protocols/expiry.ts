/**
 * When the next update expires or is to be renewed, the machine is woken: once, however many are then.
 *
 * Invariants
 *  1. The timer is set for the earliest expiry in the replica or earlier; one that fires too early is set anew.
 *  2. Expiry makes no message: every replica does it by itself (rule 5 of docs/algorithm.md). A renewal is a write.
 */

import type { Environment } from '../protocol.ts';

/** Node's timers take no more; a longer wait is taken in steps. */
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export class Expiry {
  readonly #environment: Environment;
  /** The time for which the timer is set; `undefined`: it is not. */
  #setForMs: number | undefined;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /** Sets the timer if the earliest expiry has moved. To be called after whatever may have stored something. */
  schedule(nowMs: number): void {
    const next = this.#environment.replica.nextExpiryMs;
    if (next === undefined || (this.#setForMs !== undefined && this.#setForMs <= next)) return;
    this.#setForMs = next;
    this.#environment.effects.setTimer('expiry', Math.min(Math.max(0, next - nowMs), LONGEST_DELAY_MS));
  }

  /** The timer fired. */
  tick(nowMs: number): void {
    this.#setForMs = undefined;
    this.#environment.replica.expire(nowMs);
    this.schedule(nowMs);
  }
}
