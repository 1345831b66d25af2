/**
 * One write: what it says, when, and who wrote it.
 *
 * Invariants
 *  1. What travels (id, value, stamp, origin, sequence, expiry) never changes once made, so a message may hold an object
 *     that was stored, or that a store has given out: it stays what it is, whatever becomes of its row.
 *  2. Versions are a total order (docs/algorithm.md, rule 1): no two updates are equal.
 *  3. A value is its MessagePack bytes as a string with one character a byte: the densest copy that V8 keeps, and a
 *     copy, never a view that pins its frame.
 */

import type { Stamp } from './hlc.ts';
import type { Origin } from './origin.ts';

/** A value's encoding, one character (0 to 255) a byte. */
export type Bytes = string;

/**
 * What an ephemeral value begins with: the header of an array of one item in a form that is longer than it need be. Its item is
 * the value. No value that is not ephemeral has this form, every node takes it as a value, and it goes from node to node untouched.
 */
export const EPHEMERAL: Bytes = '\xdc\x00\x01';

/** Whether a value is tied to its writer: readers see it while that is there. */
export function isEphemeral(value: Bytes): boolean {
  return value.charCodeAt(0) === 0xdc && value.startsWith(EPHEMERAL);
}

/** A value tied to its writer if another is. */
export function tiedAs(other: Bytes, value: Bytes): Bytes {
  return isEphemeral(other) && !isEphemeral(value) ? EPHEMERAL + value : value;
}

/**
 * Why readers here do not see an update: the handler did not keep it (`ignored`), a later `reset` of the handler dropped it,
 * the handler failed on it (`deadletter`), or it is ephemeral and its writer is not there (`gone`).
 */
export type Hiding = 'ignored' | 'reset' | 'deadletter' | 'gone';

/** What readers here see of an update where that is not the update itself (docs/algorithm.md, rule 6). */
export interface View {
  /** The bytes that readers see; `undefined`: nothing. */
  readonly value: Bytes | undefined;
  /** Why the update is hidden; `undefined`: it is not, the handler changed its value. */
  readonly why: Hiding | undefined;
  /** Whose the value is, where it is ephemeral and was written by another than the update. */
  readonly writer?: Origin | undefined;
  /** Where the writer of an ephemeral value is gone: what readers see again once it is back. */
  readonly back?: { readonly view: View | undefined };
}

/** The views of updates that are hidden, where readers saw nothing before. One object each: there may be many. */
const hiddenViews: Readonly<Record<Hiding, View>> = {
  ignored: { value: undefined, why: 'ignored' },
  reset: { value: undefined, why: 'reset' },
  deadletter: { value: undefined, why: 'deadletter' },
  gone: { value: undefined, why: 'gone', back: { view: undefined } },
};

/**
 * The view of a hidden update.
 * @param before what was held of its id: what readers saw of that they go on to see, while its writer is there if it is ephemeral
 */
export function hiddenView(why: Hiding, before?: Update): View {
  const value = before === undefined ? undefined : judgedValue(before);
  if (before === undefined || value === undefined) return hiddenViews[why];
  return isEphemeral(value) ? { value, why, writer: writerOf(before) } : { value, why };
}

/** The view of an update for as long as the writer of what readers see of it is gone. @param judged its view else */
export function goneView(judged: View | undefined): View {
  return judged === undefined
    ? hiddenViews.gone
    : { value: undefined, why: judged.why ?? 'gone', back: { view: judged } };
}

export class Update {
  readonly id: string;
  /** `undefined` makes it a tombstone. */
  readonly value: Bytes | undefined;
  readonly stamp: Stamp;
  /** Whose write. A replica replaces it by its own equal object when it takes the update. */
  origin: Origin;
  /** The origin's running number, from 1. */
  readonly sequence: number;
  /** Wall-clock milliseconds at which every replica turns it into a tombstone by itself. */
  readonly expiresAt: number | undefined;
  /** Where it stood in the order of arrival when it was stored, from 1; 0: it never was. The store's. */
  arrival = 0;
  /** Where its store had it last. The store's, which looks whether it is there still. */
  row = 0;
  /** What readers see instead, as of when this was stored or given out; `undefined`: the update itself. The replica's. */
  view: View | undefined = undefined;

  constructor(
    id: string,
    value: Bytes | undefined,
    stamp: Stamp,
    origin: Origin,
    sequence: number,
    expiresAt: number | undefined,
  ) {
    this.id = id;
    this.value = value;
    this.stamp = stamp;
    this.origin = origin;
    this.sequence = sequence;
    this.expiresAt = expiresAt;
  }
}

/** What readers here see under the update's id; `undefined`: nothing. */
export function visible(update: Update): Bytes | undefined {
  return update.view === undefined ? update.value : update.view.value;
}

/** The view of an update as verdicts have left it, whether or not its writer is there. */
export function judgedView({ view }: Update): View | undefined {
  return view?.back === undefined ? view : view.back.view;
}

/** What readers here see under the update's id while the writer of that is there; `undefined`: nothing. */
export function judgedValue(update: Update): Bytes | undefined {
  const view = judgedView(update);
  return view === undefined ? update.value : view.value;
}

function writerOf(update: Update): Origin {
  return judgedView(update)?.writer ?? update.origin;
}

/** Who must be there that readers see something of an update; `undefined`: nobody must. */
export function tieOf(update: Update): Origin | undefined {
  const value = judgedValue(update);
  return value !== undefined && isEphemeral(value) ? writerOf(update) : undefined;
}

/** Whether an update has a value that readers here do not see, for a verdict of the handler or since its writer is gone. */
export function isHidden({ value, view }: Update): boolean {
  return value !== undefined && view?.why !== undefined;
}

/** Whether `a` is the newer version: stamp, then node name, epoch, sequence number. Never equal for two updates. */
export function isNewer(a: Update, b: Update): boolean {
  if (a.stamp !== b.stamp) return a.stamp > b.stamp;
  if (a.origin.name !== b.origin.name) return a.origin.name > b.origin.name;
  if (a.origin.epoch !== b.origin.epoch) return a.origin.epoch > b.origin.epoch;
  return a.sequence > b.sequence;
}

/** Bytes that an update takes on the wire beside id and value, roughly. */
export const UPDATE_BYTES = 12;

/** Bytes that an update takes on the wire, roughly: what batches are bounded by. */
export function updateBytes(update: Update): number {
  return update.id.length + (update.value?.length ?? 0) + UPDATE_BYTES;
}

/** Whether a tombstone came from expiry: such a one is never sent on. */
export function isExpired(update: Update): boolean {
  return update.value === undefined && update.expiresAt !== undefined;
}
