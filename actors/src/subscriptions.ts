/**
 * The subscriptions of a gossip instance: a snapshot first, then every change.
 *
 * Invariants
 *  1. Snapshot and changes meet without gap and overlap: both are taken from the replica in one step, and what was not
 *     yet told goes to the earlier subscribers before the snapshot is taken.
 *  2. They belong to the holding, so a crash of the instance is not noticed by subscribers.
 *  3. Changes of ids outside of a subscriber's prefix are left out before anything is made of them.
 *  4. While nobody subscribes, the replica keeps no changes.
 *
 * Source: docs/architecture.md.
 */

import { Batch, type Replica } from '@grapevine/core';

import { Audience } from './audience.ts';
import { changesOf, type DeadLetter, type GossipEvent, snapshotOf } from './events.ts';
import type { Ref } from './kernel/nact.ts';
import { Repeats } from './repeats.ts';
import { time } from './kernel/time.ts';

/** With so few prefixes none is looked through for subscribers that are gone. */
const FEW_PREFIXES = 16;

export class Subscriptions {
  readonly #replica: Replica;
  readonly #source: { readonly gossip: string; readonly node: string };
  /** By the prefix of the ids that they hear of. None is empty for long. */
  readonly #audiences = new Map<string, Audience<GossipEvent>>();
  readonly #said = new Repeats();
  #sweepAt = FEW_PREFIXES;
  #onBehind = (): void => {};

  constructor(replica: Replica, gossip: string) {
    this.#replica = replica;
    this.#source = { gossip, node: replica.name };
  }

  /** Hears of subscribers that fall behind, once a minute: one that is slow does so again and again. */
  set onBehind(hear: () => void) {
    this.#onBehind = (): void => {
      if (this.#said.isNew('behind', time.monotonicMs())) hear();
    };
  }

  get size(): number {
    return this.#sum(({ size }) => size);
  }

  /** How many of them wait for a fresh snapshot. */
  get behind(): number {
    return this.#sum(({ behind }) => behind);
  }

  /** Tells a new subscriber all that readers see of ids that begin so. Who subscribes again is told all again. */
  add(subscriber: Ref<GossipEvent>, prefix: string = ''): void {
    this.tellChanges();
    for (const [other, audience] of this.#audiences) if (other !== prefix) audience.delete(subscriber);
    let audience = this.#audiences.get(prefix);
    if (audience === undefined) {
      if (this.#audiences.size >= this.#sweepAt) this.#sweep();
      audience = new Audience<GossipEvent>(() => this.#snapshot(prefix));
      audience.onBehind = (): void => this.#onBehind();
      this.#audiences.set(prefix, audience);
    }
    audience.add(subscriber);
    this.#observe();
  }

  /** Gives a fresh snapshot to those who were behind and take messages again. */
  catchUp(): void {
    if (this.behind === 0) return;
    this.tellChanges();
    for (const audience of this.#audiences.values()) audience.catchUp();
    this.#observe();
  }

  delete(subscriber: Ref<GossipEvent>): void {
    this.tellChanges();
    for (const audience of this.#audiences.values()) audience.delete(subscriber);
    this.#observe();
  }

  /** Tells what has changed since it was last told. */
  tellChanges(): void {
    if (this.#replica.changes.length === 0) return;
    const changes = this.#replica.changes.take();
    for (const [prefix, audience] of this.#audiences) {
      const meant = prefix === '' ? changes : changes.pick(rowsOf(changes, prefix));
      if (meant.length > 0) audience.tell(changesOf(this.#source, meant));
    }
    this.#observe();
  }

  tellDeadLetters(letters: readonly DeadLetter[]): void {
    for (const [prefix, audience] of this.#audiences) {
      const meant = prefix === '' ? letters : letters.filter(({ id }) => id.startsWith(prefix));
      if (meant.length > 0) audience.tell({ type: 'deadletters', ...this.#source, letters: meant });
    }
    this.#observe();
  }

  #snapshot(prefix: string): GossipEvent {
    const seen = new Batch();
    for (const update of this.#replica.visible()) if (update.id.startsWith(prefix)) seen.add(update);
    return snapshotOf(this.#source, seen);
  }

  #sum(count: (audience: Audience<GossipEvent>) => number): number {
    let sum = 0;
    for (const audience of this.#audiences.values()) sum += count(audience);
    return sum;
  }

  /** Those who have ended are noticed as something is told; under a prefix that may be never. */
  #sweep(): void {
    for (const audience of this.#audiences.values()) audience.sweep();
    this.#dropEmpty();
    this.#sweepAt = 2 * this.#audiences.size + FEW_PREFIXES;
  }

  #dropEmpty(): void {
    for (const [prefix, { size }] of this.#audiences) if (size === 0) this.#audiences.delete(prefix);
  }

  #observe(): void {
    this.#dropEmpty();
    this.#replica.observed = this.#audiences.size > 0;
    if (!this.#replica.observed) this.#replica.changes.clear();
  }
}

/** The rows of ids that begin so. */
function rowsOf({ ids }: Batch, prefix: string): number[] {
  const rows: number[] = [];
  for (const [row, id] of ids.entries()) if (id.startsWith(prefix)) rows.push(row);
  return rows;
}
