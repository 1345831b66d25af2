/**
 * How many updates ride in one message.
 *
 * Invariants
 *  1. A batch stays below both bounds, unless a single update is larger: that one rides alone.
 *  2. Order is kept.
 */

import { type Update, updateBytes } from '../update.ts';

export const BATCH_BYTES: number = 48 * 1024;
export const BATCH_UPDATES = 2000;

/** Splits updates for the wire. One batch is the very array that came in, where it fits. */
export function inBatches(updates: readonly Update[]): (readonly Update[])[] {
  const batches: (readonly Update[])[] = [];
  let first = 0;
  let bytes = 0;
  for (let i = 0; i < updates.length; i++) {
    const more = updateBytes(updates[i] as Update);
    if (i > first && (bytes + more > BATCH_BYTES || i - first >= BATCH_UPDATES)) {
      batches.push(updates.slice(first, i));
      first = i;
      bytes = 0;
    }
    bytes += more;
  }
  if (updates.length > 0) batches.push(first === 0 ? updates : updates.slice(first));
  return batches;
}
