/**
 * The subscriptions of a gossip instance: a snapshot first, then every change.
 *
 * Invariants
 *  1. Snapshot and changes meet without gap and overlap: both are taken from the replica in one step, and what was not
 *     yet told goes to the earlier subscribers before the snapshot is taken.
 *  2. They belong to the holding, so a crash of the instance is not noticed by subscribers.
 *  3. Who is behind is told nothing until it has caught up with its mailbox, and then all again: a subscriber whose
 *     mailbox refuses events, or in which `EVENTS` wait, costs no more memory, and misses nothing but the way to where
 *     things stand. What waits for a plain actor of nact's cannot be seen, nor bounded here.
 *  4. While nobody subscribes, the replica keeps no changes.
 *
 * Source: docs/architecture.md.
 */

import type { Replica } from '@grapevine/core';

import { Change, type DeadLetter, Entry, type GossipEvent } from './events.ts';
import { hasAmpleRoom, isGone, statsOf, tell } from './kernel/actor.ts';
import type { Ref } from './kernel/nact.ts';

/** So many events may wait for a subscriber before it counts as behind. */
const EVENTS = 1024;

export class Subscriptions {
  /** Hears of each subscriber that falls behind. */
  onBehind: () => void = () => {};

  readonly #replica: Replica;
  readonly #source: { readonly gossip: string; readonly node: string };
  readonly #subscribers = new Set<Ref<GossipEvent>>();
  readonly #behind = new Set<Ref<GossipEvent>>();

  constructor(replica: Replica, gossip: string) {
    this.#replica = replica;
    this.#source = { gossip, node: replica.name };
  }

  get size(): number {
    return this.#subscribers.size;
  }

  /** How many of them wait for a fresh snapshot. */
  get behind(): number {
    return this.#behind.size;
  }

  /** Tells a new subscriber all that readers see. Who subscribes again is told all again. */
  add(subscriber: Ref<GossipEvent>): void {
    this.tellChanges();
    if (isGone(subscriber)) return;
    this.#subscribers.add(subscriber);
    this.#replica.observed = true;
    if (this.#tellAll(subscriber)) this.#behind.delete(subscriber);
    else this.#fallsBehind(subscriber);
  }

  #tellAll(subscriber: Ref<GossipEvent>): boolean {
    const entries: Entry[] = [];
    for (const update of this.#replica.visible()) entries.push(new Entry(update));
    return tell(subscriber, { type: 'snapshot', ...this.#source, entries });
  }

  /** Gives a fresh snapshot to those who were behind and take messages again. */
  catchUp(): void {
    if (this.#behind.size === 0) return;
    this.tellChanges();
    for (const subscriber of this.#behind) {
      if (isGone(subscriber)) this.#forget(subscriber);
      else if (hasAmpleRoom(subscriber, EVENTS) && this.#tellAll(subscriber)) this.#behind.delete(subscriber);
    }
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
    for (const subscriber of this.#subscribers) {
      if (this.#behind.has(subscriber)) continue;
      const isSlow = (statsOf(subscriber)?.queued ?? 0) >= EVENTS;
      if (isSlow || !tell(subscriber, event)) this.#fallsBehind(subscriber);
    }
  }

  #fallsBehind(subscriber: Ref<GossipEvent>): void {
    if (isGone(subscriber)) return this.#forget(subscriber);
    this.#behind.add(subscriber);
    this.onBehind();
  }

  #forget(subscriber: Ref<GossipEvent>): void {
    this.#subscribers.delete(subscriber);
    this.#behind.delete(subscriber);
    if (this.#subscribers.size > 0) return;
    this.#replica.observed = false;
    this.#replica.changes = [];
  }
}
