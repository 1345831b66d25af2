/**
 * Deliveries: which own writes another node is known to have. A node that leaves waits for this.
 *
 * Invariants
 *  1. A write counts as taken only where a peer has said that it is in its context: by the context itself, by a claim, by
 *     equal sums, or by feedback. That a write was sent counts for nothing.
 *  2. What a peer said ends with its connection: who is gone may have taken the only copy along.
 *  3. What was superseded, has expired or was forgotten here needs no delivery any more.
 *
 * Source: docs/algorithm.md, "Leaving".
 */

import { Context, type Dots } from '../context.ts';
import type { Replica } from '../replica.ts';
import { isExpired, type Update } from '../update.ts';
import { heldAmong } from './exchange/held.ts';

export class Deliveries {
  readonly #replica: Replica;
  /** Of each connected peer, the own writes that it is known to have. */
  readonly #taken = new Map<string, Context>();

  constructor(replica: Replica) {
    this.#replica = replica;
  }

  /** A peer has said that these are in its context. */
  told(peer: string, dots: Dots): void {
    // Only writes of this replica that exist: a peer cannot make this grow by dots that it makes up.
    const own = this.#replica.context.common(this.#replica.own(dots));
    if (own.length === 0) return;
    if (!this.#replica.heldThere.isEmpty) this.#replica.heldThere.removeAll(own);
    const taken = this.#taken.get(peer);
    if (taken === undefined) this.#taken.set(peer, Context.of(own));
    else if (!taken.covers(own)) taken.addAll(own);
  }

  /** The connection with a peer is over. */
  forget(peer: string): void {
    this.#taken.delete(peer);
  }

  /** How many own writes are held here that no connected peer is known to have. */
  undelivered(nowMs: number): number {
    let count = 0;
    for (const { expiresAt = Infinity } of this.#held()) if (expiresAt > nowMs) count += 1;
    return count;
  }

  /** The dots of the same. */
  missing(): Dots {
    let missing: Dots = this.#replica.ownDots();
    for (const taken of this.#taken.values()) {
      if (missing.length === 0) break;
      missing = taken.lacking(missing);
    }
    return missing;
  }

  #held(): Update[] {
    const missing = this.missing();
    return missing.length === 0 ? [] : heldAmong(this.#replica.store, missing).filter((update) => !isExpired(update));
  }
}
