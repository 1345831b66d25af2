/**
 * The event loop, waited for by turns and conditions: tests never wait for a duration.
 *
 * Invariants
 *  1. A condition that never comes fails the test that waits for it, and leaves nothing running.
 */

import { performance } from 'node:perf_hooks';

const patienceMs = 4000;

/** Waits until others had their turn, as many times as asked. */
export async function turns(count: number = 1): Promise<void> {
  for (let done = 0; done < count; done += 1) await new Promise((resolve) => setImmediate(resolve));
}

/** Waits until a condition holds. @throws Error when it does not within four seconds */
export async function until(condition: () => boolean): Promise<void> {
  const givesUpAt = performance.now() + patienceMs;
  while (!condition()) {
    if (performance.now() > givesUpAt) throw new Error(`not within ${patienceMs} ms: ${condition.toString()}`);
    await turns();
  }
}
