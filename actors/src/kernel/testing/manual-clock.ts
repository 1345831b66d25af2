/**
 * A clock that is moved by hand, so that a test of waits and deadlines waits for nothing.
 *
 * Invariants
 *  1. Timers run in the order of their time, and of their start where times are equal, with `now` at their time.
 */

import type { Cancel, Clock } from '../clock.ts';

interface ManualTimer {
  at: number;
  readonly periodMs: number | undefined;
  readonly run: () => void;
}

export class ManualClock implements Clock {
  #now = 0;
  readonly #timers = new Set<ManualTimer>();

  now(): number {
    return this.#now;
  }

  after(delayMs: number, run: () => void): Cancel {
    return this.#add({ at: this.#now + delayMs, periodMs: undefined, run });
  }

  every(periodMs: number, run: () => void): Cancel {
    return this.#add({ at: this.#now + periodMs, periodMs, run });
  }

  /** How long until each timer that is set, in milliseconds, soonest first. */
  get waits(): number[] {
    return [...this.#timers].map(({ at }) => at - this.#now).sort((a, b) => a - b);
  }

  /** Moves time on, and runs what falls due. */
  advance(byMs: number): void {
    const until = this.#now + byMs;
    for (let timer = this.#next(until); timer !== undefined; timer = this.#next(until)) {
      this.#now = timer.at;
      if (timer.periodMs === undefined) this.#timers.delete(timer);
      else timer.at += timer.periodMs;
      timer.run();
    }
    this.#now = until;
  }

  #next(until: number): ManualTimer | undefined {
    let soonest: ManualTimer | undefined;
    for (const timer of this.#timers) {
      if (timer.at <= until && (soonest === undefined || timer.at < soonest.at)) soonest = timer;
    }
    return soonest;
  }

  #add(timer: ManualTimer): Cancel {
    this.#timers.add(timer);
    return () => this.#timers.delete(timer);
  }
}
