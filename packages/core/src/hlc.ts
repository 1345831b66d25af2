/**
 * Hybrid logical clock: stamps that follow the wall clock and yet never order an effect before its cause.
 *
 * A stamp is one number, `(milliseconds since 2020) × 4096 + counter`. So stamps compare as numbers, travel as
 * small differences, and a counter that overflows in a busy millisecond simply borrows from the next one.
 * The range ends in 2089.
 *
 * Invariants
 *  1. Every stamp that `next` gives is greater than `after`, and than any stamp given or witnessed before that is not more
 *     than the limit of drift ahead of the wall clock. Of stamps that are less than a second apart the greatest is remembered, and of
 *     sixteen such times: a clock that was set back by more than the limit need not exceed all that lies between.
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

/** Stamps that are nearer to each other than this are of one time, as far as `Clock` remembers times: a second. */
const TIME = 1000 * COUNTERS;
/** So many times are remembered. */
const MOST_TIMES = 16;

export class Clock {
  /**
   * The greatest stamp of each time, ascending. A clock that moves steadily has one; one more for each time from which it was set
   * ahead or back, so that the stamps of a wrong time are neither counted on from nor forgotten.
   */
  readonly #times: Stamp[] = [];

  /** The greatest stamp given or witnessed. */
  get last(): Stamp {
    return this.#times.at(-1) ?? 0;
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
    if (after > limit) {
      // Once its time comes, later ones must exceed it.
      this.witness(after + 1);
      return after + 1;
    }
    const times = this.#times;
    let above = times.length;
    while (above > 0 && (times[above - 1] as Stamp) > limit) above--;
    const stamp = Math.max(stampAt(nowMs), (times[above - 1] ?? 0) + 1, after + 1);
    this.#note(stamp, above);
    return stamp;
  }

  /** Notes a stamp seen elsewhere. The caller has checked that it is not too far ahead. */
  witness(stamp: Stamp): void {
    const times = this.#times;
    let above = times.length;
    const last = times[above - 1] ?? 0;
    // Most are of the present time, and no news.
    if (stamp <= last && stamp >= last - TIME) return;
    while (above > 0 && (times[above - 1] as Stamp) >= stamp) above--;
    this.#note(stamp, above);
  }

  /** @param above how many times are below the stamp */
  #note(stamp: Stamp, above: number): void {
    const times = this.#times;
    if (above > 0 && stamp <= (times[above - 1] as Stamp) + TIME) times[above - 1] = stamp;
    else {
      // Also where a greater one is near: that may be too far ahead when this one is not.
      times.splice(above, 0, stamp);
      // The one that is farthest from this one goes.
      if (times.length > MOST_TIMES) times.splice(above < MOST_TIMES / 2 ? MOST_TIMES : 0, 1);
    }
  }
}
