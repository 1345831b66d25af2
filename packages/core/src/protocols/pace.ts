/**
 * The pace of entropy's cycles: one every `delta`, and a rest where everybody is known to be equal.
 *
 * Invariants
 *  1. While a peer may differ, cycles end every `delta`.
 *  2. A rest ends with the first change of the replica or of who is there, and after twenty cycles in any case.
 */

import type { Environment } from '../protocol.ts';

/** Cycles of a rest. */
const REST_CYCLES = 20;
export const CYCLE = 'cycle';
const LONGEST_DELAY_MS = 2 ** 31 - 1;

export class Pace {
  readonly #environment: Environment;
  readonly #deltaMs: number;
  #isResting = false;
  /** Of the replica, when the rest began. */
  #version = 0;

  constructor(environment: Environment, deltaMs: number) {
    this.#environment = environment;
    this.#deltaMs = deltaMs;
  }

  /** Sets out, at a random phase: nodes that start together need not speak together. */
  start(): void {
    const { effects, random } = this.#environment;
    this.#isResting = false;
    effects.setTimer(CYCLE, Math.ceil(random() * this.#deltaMs));
  }

  /** A cycle has ended. @param isSettled whether all peers are known to be equal to us */
  next(isSettled: boolean): void {
    const { effects, replica } = this.#environment;
    this.#isResting = isSettled;
    this.#version = replica.version;
    effects.setTimer(CYCLE, isSettled ? Math.min(REST_CYCLES * this.#deltaMs, LONGEST_DELAY_MS) : this.#deltaMs);
  }

  /** Ends a rest if the replica has changed. To be called after every input. */
  stir(): void {
    if (this.#isResting && this.#environment.replica.version !== this.#version) this.start();
  }

  /** Ends a rest. */
  wake(): void {
    if (this.#isResting) this.start();
  }
}
