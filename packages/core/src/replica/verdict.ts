/** What a handler decided, and what readers here see of an update for it. */

import type { Batch } from '../batch.ts';
import { type Bytes, hiddenView, isNewer, tiedAs, type Update, type View } from '../update.ts';

/** What a handler decided about a batch, by id. `kept` maps an id to the bytes that readers here shall see. */
export type Verdict = (
  | { readonly type: 'keep-all' }
  | { readonly type: 'keep'; readonly kept: ReadonlyMap<string, Bytes> }
  | { readonly type: 'reset'; readonly kept: ReadonlyMap<string, Bytes>; readonly offeredArrival: number }
  | { readonly type: 'ignore' }
  | { readonly type: 'dead' }
) & {
  /**
   * How many of the offered updates it decides, from the first, at least one. They are stored at once, and the rest is
   * offered again. @default all
   */
  readonly count?: number;
};

export const keepAll: Verdict = { type: 'keep-all' };

/** The rows of the newest of each id: what was judged. */
export function newestRows(batch: Batch): Map<string, number> {
  const rows = new Map<string, number>();
  for (const [row, id] of batch.ids.entries()) {
    const other = rows.get(id);
    if (other === undefined || isNewer(batch.at(row), batch.at(other))) rows.set(id, row);
  }
  return rows;
}

/**
 * What readers here see of an update that was judged; `undefined`: its own value.
 * @param isNewest whether it is the newest of its id in its batch: what the verdict speaks of
 */
export function viewOf(
  update: Update,
  isNewest: boolean,
  former: Update | undefined,
  verdict: Verdict,
): View | undefined {
  if ((verdict.type === 'keep' || verdict.type === 'reset') && isNewest) {
    const kept = verdict.kept.get(update.id);
    const value = kept === undefined ? undefined : tiedAs(update.value as Bytes, kept);
    if (value !== undefined) return value === update.value ? undefined : { value, why: undefined };
  }
  return hiddenView(verdict.type === 'dead' ? 'deadletter' : 'ignored', former);
}

/** Whether the handler gave readers here a value of the update's id. */
export function isChangedValue(update: Update, verdict: Verdict): boolean {
  return (verdict.type === 'keep' || verdict.type === 'reset') && verdict.kept.has(update.id);
}
