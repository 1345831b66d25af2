/** What a handler decided, and what readers here see of an update for it. */

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

/** The newest of each id: what was judged. */
export function newestById(updates: readonly Update[]): Map<string, Update> {
  const newest = new Map<string, Update>();
  for (const update of updates) {
    const other = newest.get(update.id);
    if (other === undefined || isNewer(update, other)) newest.set(update.id, update);
  }
  return newest;
}

/** What readers here see of an update that was judged; `undefined`: its own value. */
export function viewOf(
  update: Update,
  former: Update | undefined,
  verdict: Verdict,
  newest: ReadonlyMap<string, Update>,
): View | undefined {
  if ((verdict.type === 'keep' || verdict.type === 'reset') && newest.get(update.id) === update) {
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
