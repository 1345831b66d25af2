/**
 * Hybrid logical clock: stamps that follow the wall clock and yet never order an effect before its cause.
 *
 * A stamp is one number, `(milliseconds since 2020) × 4096 + counter`. So stamps compare as numbers, travel as
 * small differences, and a counter that overflows in a busy millisecond simply borrows from the next one.
 * The range ends in 2089.
 *
 * Invariants
 *  1. Every stamp that `next` gives is greater than `after`, and than any stamp given or witnessed before that is not more
 *     than the limit of drift ahead of the wall clock.
 *  2. Without witnessing the future and below 4,096 writes a millisecond, a stamp's time is the wall clock's.
 *
 * Source: Kulkarni, Demirbas et al., "Logical Physical Clocks", 2014, section 3.
 */

/** A reading of the hybrid logical clock; greater is later. 0 is before everything. */
export type Stamp = number;

/** 2020-01-01T00:00:00Z in milliseconds. */
export const STAMP_EPOCH_MS = 1577836800000;
const COUNTERS = 4096;

/** The first stamp of a wall-clock millisecond. */
export function stampAt(wallMs: number): Stamp {
  return (wallMs - STAMP_EPOCH_MS) * COUNTERS;
}

/** The wall-clock time in milliseconds that a stamp bears. */
export function wallOf(stamp: Stamp): number {
  return Math.floor(stamp / COUNTERS) + STAMP_EPOCH_MS;
}

export class Clock {
  #last: Stamp = 0;

  /** The greatest stamp given or witnessed, those apart that turned out to be too far ahead. */
  get last(): Stamp {
    return this.#last;
  }

  /**
   * A stamp for a new write. Stamps of a time when the wall clock was too far ahead are not counted on from: only the write
   * that has to beat one of them is stamped beyond it.
   * @param nowMs wall clock
   * @param after the stamp of the version that the write replaces; 0: there is none
   * @param maxDriftMs how far ahead of `nowMs` a stamp may be that later ones must exceed
   */
  next(nowMs: number, after: Stamp = 0, maxDriftMs: number = Infinity): Stamp {
    const limit = stampAt(nowMs + maxDriftMs);
    if (after > limit) return after + 1;
    if (this.#last > limit) this.#last = after;
    this.#last = Math.max(stampAt(nowMs), this.#last + 1, after + 1);
    return this.#last;
  }

  /** Notes a stamp seen elsewhere. The caller has checked that it is not too far ahead. */
  witness(stamp: Stamp): void {
    if (stamp > this.#last) this.#last = stamp;
  }
}
