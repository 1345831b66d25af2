/** What of given dots is held here, and what is live without them. */

import { Context, countDots, type Dots } from '../../context.ts';
import { addTerm, type Sum } from '../../hash.ts';
import type { Replica } from '../../replica.ts';
import type { Store, Walk } from '../../store.ts';
import type { Update } from '../../update.ts';

/** Until when an update must live to count as live now, whatever a peer's clock says: wall-clock milliseconds. */
export function horizonOf(replica: Replica, nowMs: number): number {
  return nowMs + replica.maxDriftMs;
}

/** The updates still held among these dots: looked up one by one, or found on a walk through the store if that is shorter. */
export function heldAmong(store: Store, dots: Dots): Update[] {
  if (countDots(dots) <= 2 * store.size) return store.byDots(dots);
  const wanted = Context.of(dots);
  const updates: Update[] = [];
  for (const update of store) if (wanted.has(update.origin, update.sequence)) updates.push(update);
  return updates;
}

/** Where a peer lacks more than one in so many, the store is walked in its order; else what it lacks is looked up and sorted. */
const WALKED = 8;

/** A walk over the updates still held among these dots, in order of arrival. What is superseded meanwhile may be left out. */
export function inOrder(store: Store, dots: Dots): Walk {
  return WALKED * countDots(dots) > store.size ? store.walk(0, Context.of(dots)) : store.walkOf(dots);
}

/** The sum over what is live here, but for these dots. */
export function liveWithout(store: Store, dots: Dots, horizonMs: number): Sum {
  const sum = store.liveSum(horizonMs);
  if (dots.length > 0) addTerm(sum, 0, store.liveSumOf(dots, horizonMs), -1);
  return sum;
}
