/**
 * Timers, turns and monotonic time as they were when this module was loaded, and the wall clock of now.
 *
 * Rule of test tools: fake timers replace the global functions, and those of `node:timers` and `performance`, for a while. A
 * library that looks them up at each call is armed with a fake one, which is thrown away and never runs.
 *
 * Invariants
 *  1. Nothing that replaces a global later changes when something runs here: see docs/adr for the reason, and
 *     docs/operations.md for how to test with fake timers.
 *  2. The wall clock is the `Date.now` of the moment, so that values expire by the clock that the program sees.
 *
 * Source: Node.js timers and performance hooks.
 */

const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, performance } = globalThis;

export const time: {
  readonly setTimeout: (run: () => void, delayMs: number) => NodeJS.Timeout;
  readonly clearTimeout: (timer: NodeJS.Timeout | undefined) => void;
  readonly setInterval: (run: () => void, periodMs: number) => NodeJS.Timeout;
  readonly clearInterval: (timer: NodeJS.Timeout | undefined) => void;
  readonly setImmediate: (run: () => void) => unknown;
  /** Milliseconds that only ever grow; their origin means nothing. */
  readonly monotonicMs: () => number;
  /** Milliseconds since 1970, as `Date.now()` says now: a fake clock is followed. */
  readonly wallMs: () => number;
} = {
  // Called as plain functions: some runtimes refuse another `this`.
  setTimeout: (run, delayMs) => setTimeout(run, delayMs),
  clearTimeout: (timer) => clearTimeout(timer),
  setInterval: (run, periodMs) => setInterval(run, periodMs),
  clearInterval: (timer) => clearInterval(timer),
  setImmediate: (run) => setImmediate(run),
  monotonicMs: performance.now.bind(performance),
  wallMs: () => Date.now(),
};
