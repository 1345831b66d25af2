/**
 * Waiting for what a node comes to: settled by the first look that says so, or by the deadline.
 *
 * Invariants
 *  1. A wait looks at once, at every change, and every `LOOK_MS` in any case, so that what settles by time alone is seen.
 *  2. A wait that is over leaves no timer and no listener.
 */

import { throwViolations } from '@grapevine/core';

import { time } from './kernel/time.ts';

export interface WaitingOptions {
  /** The longest wait, in milliseconds; Infinity waits for ever. @default 10000 */
  readonly timeoutMs?: number | undefined;
}

const WAITING_MS = 10_000;

/** @throws GossipError OPTIONS_INVALID */
export function timeoutOf({ timeoutMs = WAITING_MS }: WaitingOptions): number {
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0))
    throwViolations([
      { path: 'timeoutMs', problem: `must be milliseconds from 0 on, or Infinity, not ${String(timeoutMs)}` },
    ]);
  return timeoutMs;
}

/** What a look says: nothing yet, or how the wait ends. */
export type Outcome<T> = { readonly value: T } | { readonly error: Error } | null;

export interface WaitOptions<T> {
  readonly look: () => Outcome<T>;
  /** Calls back at every change. @returns how to stop that */
  readonly onChange: (look: () => void) => () => void;
  /** The longest wait, in milliseconds; Infinity waits for ever. */
  readonly timeoutMs: number;
  /** What it fails with then. */
  readonly late: () => Error;
}

const LOOK_MS = 100;
/** Longer ones of Node.js fire at once. */
const LONGEST_MS = 2 ** 31 - 1;

export function waitFor<T>({ look, onChange, timeoutMs, late }: WaitOptions<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cleanups: (() => void)[] = [];
    let isOver = false;
    const end = (outcome: Outcome<T>): void => {
      if (outcome === null || isOver) return;
      isOver = true;
      for (const cleanup of cleanups) cleanup();
      if ('value' in outcome) resolve(outcome.value);
      else reject(outcome.error);
    };
    end(look());
    if (isOver) return;
    cleanups.push(onChange(() => end(look())));
    const interval = time.setInterval(() => end(look()), LOOK_MS);
    cleanups.push(() => time.clearInterval(interval));
    if (timeoutMs === Infinity) return;
    const timer = time.setTimeout(() => end({ error: late() }), Math.min(timeoutMs, LONGEST_MS));
    cleanups.push(() => time.clearTimeout(timer));
  });
}
