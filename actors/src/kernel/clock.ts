/**
 * The clock of a tree of actors: what time it is, and wake me later. Tests inject one that they move by hand.
 *
 * Invariants
 *  1. A timer does not keep the process alive unless it is asked to: gossip is never a reason not to exit.
 *  2. A delay beyond 2³¹−1 ms is cut to it. Node would fire such a timer at once.
 *
 * Source: Node.js timers.
 */

import { time } from './time.ts';

/** Undoes what returned it. Calling it again does nothing. */
export type Cancel = () => void;

export interface Clock {
  /** Milliseconds that only ever grow; their origin means nothing. */
  now(): number;
  /** Runs once, `delayMs` from now. */
  after(delayMs: number, run: () => void, holdsProcess?: boolean): Cancel;
  /** Runs every `periodMs`. */
  every(periodMs: number, run: () => void, holdsProcess?: boolean): Cancel;
}

const longestMs = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => time.monotonicMs(),
  after(delayMs, run, holdsProcess = false) {
    const timer = time.setTimeout(run, Math.min(delayMs, longestMs));
    if (!holdsProcess) timer.unref();
    return () => time.clearTimeout(timer);
  },
  every(periodMs, run, holdsProcess = false) {
    const timer = time.setInterval(run, Math.min(periodMs, longestMs));
    if (!holdsProcess) timer.unref();
    return () => time.clearInterval(timer);
  },
};
