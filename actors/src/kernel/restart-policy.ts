/**
 * When to restart, as arithmetic: how many restarts are too many, and how long to wait before the next.
 *
 * Invariants
 *  1. More than `maxRestarts` restarts within `withinMs` are refused.
 *  2. The first restart of a child is immediate. Every further one waits twice as long as the one before, up to
 *     `maxMs`, times a random factor of one half to one, so that what fell together does not rise together.
 *  3. An incarnation that lived for `withinMs` has shown that it can, and the waits begin anew.
 *
 * Source: Erlang/OTP supervisor, restart intensity; "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.
 */

export interface Backoff {
  /** The wait before the second restart, in milliseconds. */
  readonly minMs: number;
  /** The longest wait, in milliseconds. */
  readonly maxMs: number;
}

/** `permanent` is always started again, `transient` after a crash only, `temporary` never. */
export type RestartType = 'permanent' | 'transient' | 'temporary';

/** Whom the crash of one child concerns: that child, all of them, or it and those started after it. */
export type Strategy = 'one-for-one' | 'one-for-all' | 'rest-for-one';

export interface SupervisionOptions {
  /** @default 'one-for-one' */
  readonly strategy?: Strategy;
  /** The most restarts within `withinMs`; at one more the supervisor itself gives up and its own is asked. @default 3 */
  readonly maxRestarts?: number;
  /** The period of `maxRestarts`, in milliseconds. @default 5000 */
  readonly withinMs?: number;
  /** The waits between restarts of the same child. @default from 100 to 10,000 milliseconds */
  readonly backoff?: Backoff;
}

const defaults: Required<SupervisionOptions> = {
  strategy: 'one-for-one',
  maxRestarts: 3,
  withinMs: 5000,
  backoff: { minMs: 100, maxMs: 10_000 },
};

export function resolveSupervision(options: SupervisionOptions = {}): Required<SupervisionOptions> {
  return { ...defaults, ...options };
}

/** The restarts of one supervisor within its period. */
export class RestartIntensity {
  readonly #maxRestarts: number;
  readonly #withinMs: number;
  #at: number[] = [];

  constructor(maxRestarts: number, withinMs: number) {
    this.#maxRestarts = maxRestarts;
    this.#withinMs = withinMs;
  }

  /** Counts one more restart. @returns whether it is still within the limit */
  admits(now: number): boolean {
    this.#at = this.#at.filter((at) => now - at < this.#withinMs);
    this.#at.push(now);
    return this.#at.length <= this.#maxRestarts;
  }

  forget(): void {
    this.#at = [];
  }
}

/** @param attempt counts the restarts of a child in a row, from 1 */
export function restartDelayMs(attempt: number, backoff: Backoff, random: () => number): number {
  if (attempt <= 1) return 0;
  const longest = Math.min(backoff.maxMs, backoff.minMs * 2 ** (attempt - 2));
  return longest * (0.5 + random() / 2);
}
