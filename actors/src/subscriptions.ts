/**
 * The subscriptions of a gossip instance: a snapshot first, then every change.
 *
 * Invariants
 *  1. Snapshot and changes meet without gap and overlap: both are taken from the replica in one step, and what was not
 *     yet told goes to the earlier subscribers before the snapshot is taken.
 *  2. They belong to the holding, so a crash of the instance is not noticed by subscribers.
 *  3. While nobody subscribes, the replica keeps no changes.
 *
 * Source: docs/architecture.md.
 */

import type { Replica } from '@grapevine/core';

import { Change, type DeadLetter, Entry, type GossipEvent } from './events.ts';
import { tell } from './kernel/actor.ts';
import type { Ref } from './kernel/nact.ts';

export class Subscriptions {
  readonly #replica: Replica;
  readonly #source: { readonly gossip: string; readonly node: string };
  readonly #subscribers = new Set<Ref<GossipEvent>>();

  constructor(replica: Replica, gossip: string) {
    this.#replica = replica;
    this.#source = { gossip, node: replica.name };
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /** Tells a new subscriber all that readers see. Who subscribes again is told all again. */
  add(subscriber: Ref<GossipEvent>): void {
    this.tellChanges();
    const entries: Entry[] = [];
    for (const update of this.#replica.visible()) entries.push(new Entry(update));
    if (!tell(subscriber, { type: 'snapshot', ...this.#source, entries })) return;
    this.#subscribers.add(subscriber);
    this.#replica.observed = true;
  }

  delete(subscriber: Ref<GossipEvent>): void {
    this.tellChanges();
    this.#forget(subscriber);
  }

  /** Tells what has changed since it was last told. */
  tellChanges(): void {
    const updates = this.#replica.changes;
    if (updates.length === 0) return;
    this.#replica.changes = [];
    this.#tell({ type: 'changes', ...this.#source, changes: updates.map((update) => new Change(update)) });
  }

  tellDeadLetters(letters: readonly DeadLetter[]): void {
    this.#tell({ type: 'deadletters', ...this.#source, letters });
  }

  #tell(event: GossipEvent): void {
    for (const subscriber of this.#subscribers) if (!tell(subscriber, event)) this.#forget(subscriber);
  }

  #forget(subscriber: Ref<GossipEvent>): void {
    this.#subscribers.delete(subscriber);
    if (this.#subscribers.size > 0) return;
    this.#replica.observed = false;
    this.#replica.changes = [];
  }
}
