/** Updates that are stamped too far ahead: held back until their time comes, in no context, and only so many. */

import { Context, type Dots } from '../context.ts';
import { GossipError } from '../errors.ts';
import { stampAt, wallOf } from '../hlc.ts';
import { shownId } from '../printable.ts';
import { type Update, updateBytes } from '../update.ts';

/** How many updates from the future are kept; more are left to their senders. */
const HELD_LIMIT = 1024;
/** How many bytes of them, in all. */
const HELD_BYTES = 16 * 1024 * 1024;
/** How many origins of them are told of: each once, while anything of it is kept. */
const HELD_SAID = 16;

export class HeldBack {
  readonly #maxDriftMs: number;
  readonly #held = new Map<string, Update>();
  #heldBytes = 0;
  readonly #heldDots = new Context();
  /** What has been held back since it was last taken. */
  #fresh: Update[] = [];

  constructor(maxDriftMs: number) {
    this.#maxDriftMs = maxDriftMs;
  }

  /** Holds an update back. @returns whether there was room, or it is held already */
  hold(update: Update, report: (error: GossipError) => void): boolean {
    const { origin, stamp } = update;
    const dot = `${update.sequence}.${origin.key}`;
    if (this.#held.has(dot)) return true;
    if (this.#held.size >= HELD_LIMIT || this.#heldBytes + updateBytes(update) > HELD_BYTES) return false;
    if (this.#heldDots.find(origin) === undefined && this.#heldDots.size < HELD_SAID)
      report(
        new GossipError(
          'CLOCK_TOO_FAR',
          `An update by '${origin.name}' is stamped ${new Date(wallOf(stamp)).toISOString()}, more than maxDriftMs (${this.#maxDriftMs}) ahead of this node's clock. It is held back until then. Set the clock of '${origin.name}' (NTP), or of this node.`,
          {
            context: {
              origin: origin.name,
              id: shownId(update.id),
              stampMs: wallOf(stamp),
              maxDriftMs: this.#maxDriftMs,
            },
          },
        ),
      );
    this.#held.set(dot, update);
    this.#heldBytes += updateBytes(update);
    this.#heldDots.add(origin, update.sequence);
    this.#fresh.push(update);
    return true;
  }

  /** What has been held back since the last call, to be told to those who wrote it. */
  takeFresh(): readonly Update[] {
    const fresh = this.#fresh;
    if (fresh.length > 0) this.#fresh = [];
    return fresh;
  }

  /** Holds these back no more: their writer has written them again. */
  drop(dots: Dots): void {
    if (this.#held.size === 0) return;
    for (const { origin, intervals } of this.#heldDots.common(dots))
      for (let i = 0; i < intervals.length; i += 2)
        for (let sequence = intervals[i] as number; sequence <= (intervals[i + 1] as number); sequence++) {
          const dot = `${sequence}.${origin.key}`;
          const update = this.#held.get(dot);
          if (update === undefined) continue;
          this.#held.delete(dot);
          this.#heldBytes -= updateBytes(update);
          this.#heldDots.remove(origin, sequence);
        }
  }

  get isEmpty(): boolean {
    return this.#held.size === 0;
  }

  /** The ids of what is held back; with `dots`, of that with one of these. */
  ids(dots?: Dots): ReadonlySet<string> {
    const among = dots === undefined ? null : Context.of(this.#heldDots.common(dots));
    const ids = new Set<string>();
    for (const { id, origin, sequence } of this.#held.values())
      if (among === null || among.has(origin, sequence)) ids.add(id);
    return ids;
  }

  /** Whether any of these dots is held back. */
  hasAny(dots: Dots): boolean {
    return this.#held.size > 0 && this.#heldDots.common(dots).length > 0;
  }

  /** Updates that were held back and whose time has come: to be received anew. */
  release(nowMs: number): Update[] {
    if (this.#held.size === 0) return [];
    const limit = stampAt(nowMs + this.#maxDriftMs);
    const due: Update[] = [];
    for (const [dot, update] of this.#held) {
      if (update.stamp > limit) continue;
      this.#held.delete(dot);
      this.#heldBytes -= updateBytes(update);
      this.#heldDots.remove(update.origin, update.sequence);
      due.push(update);
    }
    return due;
  }

  /** What of these dots is not held back. */
  lacking(dots: Dots): Dots {
    return this.#heldDots.lacking(dots);
  }

  clear(): void {
    this.#held.clear();
    this.#heldBytes = 0;
    this.#fresh = [];
    this.#heldDots.removeAll(this.#heldDots.dots());
  }
}
