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

import { Audience } from './audience.ts';
import { Change, type DeadLetter, Entry, type GossipEvent } from './events.ts';
import type { Ref } from './kernel/nact.ts';
import { Repeats } from './repeats.ts';
import { time } from './kernel/time.ts';

export class Subscriptions {
  readonly #replica: Replica;
  readonly #source: { readonly gossip: string; readonly node: string };
  readonly #audience: Audience<GossipEvent>;
  readonly #said = new Repeats();

  constructor(replica: Replica, gossip: string) {
    this.#replica = replica;
    this.#source = { gossip, node: replica.name };
    this.#audience = new Audience<GossipEvent>(() => {
      const entries: Entry[] = [];
      for (const update of replica.visible()) entries.push(new Entry(update));
      return { type: 'snapshot', ...this.#source, entries };
    });
  }

  /** Hears of subscribers that fall behind, once a minute: one that is slow does so again and again. */
  set onBehind(hear: () => void) {
    this.#audience.onBehind = (): void => {
      if (this.#said.isNew('behind', time.monotonicMs())) hear();
    };
  }

  get size(): number {
    return this.#audience.size;
  }

  /** How many of them wait for a fresh snapshot. */
  get behind(): number {
    return this.#audience.behind;
  }

  /** Tells a new subscriber all that readers see. Who subscribes again is told all again. */
  add(subscriber: Ref<GossipEvent>): void {
    this.tellChanges();
    this.#audience.add(subscriber);
    this.#observe();
  }

  /** Gives a fresh snapshot to those who were behind and take messages again. */
  catchUp(): void {
    if (this.behind === 0) return;
    this.tellChanges();
    this.#audience.catchUp();
    this.#observe();
  }

  delete(subscriber: Ref<GossipEvent>): void {
    this.tellChanges();
    this.#audience.delete(subscriber);
    this.#observe();
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
    this.#audience.tell(event);
    this.#observe();
  }

  #observe(): void {
    this.#replica.observed = this.size > 0;
    if (!this.#replica.observed) this.#replica.changes = [];
  }
}
