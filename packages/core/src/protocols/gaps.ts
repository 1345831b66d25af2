/**
 * The gaps of the context in pure rumor mongering, where nothing repairs them: what did not come in `ttl` never will.
 *
 * Invariants
 *  1. A gap closes when it was there `ttl` ago and still is, at most another `ttl` later.
 *  2. What is held back, refused or under judgement is no gap.
 *
 * Only for pure rumor mongering: a closed gap says "seen" of a dot that never came, which the sweep of anti-entropy
 * would believe (docs/algorithm.md, rule 7).
 */

import { Context, type Dots, type OriginDots } from '../context.ts';
import type { Intervals, ReadonlyIntervals } from '../intervals.ts';
import type { Replica } from '../replica.ts';

export class Gaps {
  readonly #replica: Replica;
  readonly #ttlMs: number;
  #since: number | undefined;
  #former = new Context();

  constructor(replica: Replica, ttlMs: number) {
    this.#replica = replica;
    this.#ttlMs = ttlMs;
  }

  /** Closes what has been missing for `ttl`. @param pending dots under judgement */
  close(pending: Context, nowMs: number): void {
    const sinceMs = this.#since ?? -Infinity;
    if (nowMs >= sinceMs && nowMs - sinceMs < this.#ttlMs) return;
    const missing = this.#missing();
    // Of a clock that was set back nobody knows how old they are by now: their time begins anew.
    if (nowMs >= sinceMs) this.#replica.claim(this.#former.common(missing), pending, nowMs);
    this.#former = Context.of(missing);
    this.#since = nowMs;
  }

  #missing(): Dots {
    const missing: OriginDots[] = [];
    for (const { origin, intervals } of this.#replica.context.origins()) {
      const gaps = between(intervals);
      if (gaps.length > 0) missing.push({ origin, intervals: gaps, newest: 0 });
    }
    return missing;
  }
}

/** The numbers from 1 that are missing below the last interval. */
function between(intervals: ReadonlyIntervals): Intervals {
  const gaps: Intervals = [];
  let next = 1;
  for (let i = 0; i < intervals.length; i += 2) {
    const first = intervals[i] as number;
    if (first > next) gaps.push(next, first - 1);
    next = (intervals[i + 1] as number) + 1;
  }
  return gaps;
}
