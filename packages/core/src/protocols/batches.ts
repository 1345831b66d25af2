/**
 * How many updates ride in one message.
 *
 * Invariants
 *  1. A batch stays below both bounds, unless a single update is larger: that one rides alone.
 *  2. Order is kept.
 */

import { Batch, type UpdateList } from '../batch.ts';

export const BATCH_BYTES: number = 48 * 1024;
export const BATCH_UPDATES = 2000;

/** Splits updates for the wire. One that fits is the very batch that came in. */
export function inBatches(updates: UpdateList): Batch[] {
  const whole = Batch.of(updates);
  const batches: Batch[] = [];
  let first = 0;
  let bytes = 0;
  for (let row = 0; row < whole.length; row++) {
    const more = whole.updateBytes(row);
    if (row > first && (bytes + more > BATCH_BYTES || row - first >= BATCH_UPDATES)) {
      batches.push(whole.slice(first, row));
      first = row;
      bytes = 0;
    }
    bytes += more;
  }
  if (whole.length > 0) batches.push(first === 0 ? whole : whole.slice(first, whole.length));
  return batches;
}
