/**
 * A wall clock that tells a replica when it was set, so that the replica does not take that for sleep.
 *
 * The measure is the uptime of the machine, which the shell reads: it goes on while the machine is suspended, and nobody sets it.
 * `performance.now()` does not serve, since it stands still in a suspended machine on Linux.
 *
 * Invariants
 *  1. A reading tells of a step of `LOOK_MS` or more before it returns; a smaller one is told of within that time.
 *  2. Where the uptime cannot be read, nothing is told: each jump ahead counts as sleep.
 *
 * Source: libuv, `uv_uptime` (on Linux the boot-time clock).
 */

/** Reading the uptime takes a system call or two, so it is not read with every message. */
const LOOK_MS = 60_000;
/** Clocks differ by as much without having been set: some runtimes tell the uptime in whole seconds. */
const TOLERANCE_MS = 2500;

/** What hears that the wall clock was set. */
export interface ClockListener {
  readonly forgetAfterMs: number;
  /** @param byMs how much more the wall clock has moved than time has passed; negative: it was set back */
  clockSet(byMs: number): void;
}

/**
 * The same clock, watched.
 * @param clock wall-clock milliseconds
 * @param upSeconds of the machine, its suspended time included
 */
export function watched(clock: () => number, listener: ClockListener, upSeconds: () => number): () => number {
  const lookMs = Math.min(LOOK_MS, listener.forgetAfterMs / 4);
  let lookedMs = clock();
  let bootMs = bootTime(lookedMs, upSeconds);
  return () => {
    const nowMs = clock();
    if (Math.abs(nowMs - lookedMs) < lookMs || bootMs === null) return nowMs;
    lookedMs = nowMs;
    const nowBootMs = bootTime(nowMs, upSeconds);
    if (nowBootMs === null || Math.abs(nowBootMs - bootMs) > TOLERANCE_MS) {
      if (nowBootMs !== null) listener.clockSet(nowBootMs - bootMs);
      bootMs = nowBootMs;
    }
    return nowMs;
  };
}

/** When the machine was started, by its wall clock; `null`: its uptime cannot be read. */
function bootTime(nowMs: number, upSeconds: () => number): number | null {
  try {
    return nowMs - upSeconds() * 1000;
  } catch {
    return null;
  }
}
