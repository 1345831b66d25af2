/**
 * Watching: to hear, by a message, that an actor is gone for good.
 *
 * Invariants
 *  1. A watcher hears exactly once, also when it comes too late. A restart is no end, and is not told.
 *  2. A watch ends with its watcher: whoever is watched for long does not remember all who once watched.
 *  3. Of our actors it hears when they are gone from nact; of a user's, when nact is asked to stop it or an ancestor.
 *
 * Source: Erlang, monitors.
 */

import { cellOf, tell } from './actor.ts';
import type { StopReason } from './behaviour.ts';
import type { Cancel } from './clock.ts';
import { isReachable, onNactStop, type Ref } from './nact.ts';

export interface Terminated {
  readonly type: 'terminated';
  readonly ref: Ref<unknown>;
  readonly reason: StopReason;
}

/** Tells `watcher` when the actor is gone; at once when it is already. @returns what ends the watch */
export function watch(ref: Ref<never>, watcher: Ref<Terminated>): Cancel {
  let isOver = false;
  let forgetWatcher: Cancel = () => {};
  const forgetWatched = onceGone(ref, (reason) => {
    isOver = true;
    forgetWatcher();
    tell(watcher, { type: 'terminated', ref, reason });
  });
  if (isOver) return forgetWatched;
  forgetWatcher = onceGone(watcher, forgetWatched);
  return () => {
    forgetWatched();
    forgetWatcher();
  };
}

/** Runs `listener` once, when the actor is gone; at once when it is already. */
export function onceGone(ref: Ref<never>, listener: (reason: StopReason) => void): Cancel {
  const cell = cellOf(ref);
  if (cell?.stopped ?? !isReachable(ref)) {
    listener('gone');
    return () => {};
  }
  if (cell !== undefined) return cell.onGone(listener);
  const cancel = onNactStop(ref, () => {
    cancel();
    listener('stopped');
  });
  return cancel;
}
