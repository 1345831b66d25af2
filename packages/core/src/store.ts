/**
 * The store of a replica: the newest update of every id, in order of arrival, found by id and by dot.
 *
 * Invariants
 *  1. Iteration is in order of arrival: what supersedes an update comes after it.
 *  2. `live` is the sum of h(dot) over all updates that have a value and no expiry; expiring ones are summed per second
 *     of their expiry, so that the sum beyond any horizon is at hand (docs/algorithm.md, rules 3 and 5).
 *  3. An update is in the index of its dot exactly as long as it is in the store.
 *  4. What it counts (ids, bytes, tombstones) is counted in O(1) with every change.
 */

import { AgedMap } from './aged-map.ts';
import type { Dots } from './context.ts';
import { addTerm, emptySum, hashDot, hashText, LANES, type Sum } from './hash.ts';
import type { Origin } from './origin.ts';
import { isHidden, type Update, type View, visible } from './update.ts';

export const LIVE_BUCKETS = 1024;
const PAGE = 32;

/** Bucket of an id in the live sums: the top ten bits of its hash. */
export function liveBucketOf(id: string): number {
  return hashText(id, 0x811c9dc5) >>> 22;
}

/** Updates that expire within one second. */
interface ExpirySlot {
  readonly sum: Sum;
  readonly updates: Set<Update>;
}

/** An origin's updates by sequence number, in pages that go when they are empty. */
class DotIndex {
  readonly pages = new Map<number, (Update | undefined)[]>();

  get(sequence: number): Update | undefined {
    return this.pages.get(Math.floor(sequence / PAGE))?.[sequence % PAGE];
  }

  set(update: Update): void {
    const number = Math.floor(update.sequence / PAGE);
    let page = this.pages.get(number);
    if (page === undefined) {
      page = Array<Update | undefined>(PAGE).fill(undefined);
      this.pages.set(number, page);
    }
    page[update.sequence % PAGE] = update;
  }

  delete(update: Update): void {
    const number = Math.floor(update.sequence / PAGE);
    const page = this.pages.get(number);
    if (page === undefined) return;
    page[update.sequence % PAGE] = undefined;
    if (page.every((slot) => slot === undefined)) this.pages.delete(number);
  }
}

export class Store {
  readonly #byId = new Map<string, Update>();
  readonly #byOrigin = new Map<string, DotIndex>();
  #indexOrigin: Origin | null = null;
  #index: DotIndex = new DotIndex();
  readonly #live: Sum = emptySum();
  readonly #liveBuckets = new Int32Array(LANES * LIVE_BUCKETS);
  readonly #expiring = new Map<number, ExpirySlot>();
  /** `undefined`: to be found anew, where something expires at all. */
  #nextExpiryMs: number | undefined;
  readonly #tombstones = new AgedMap<Update, number>();
  /** Updates that a verdict hides from readers here, in the order in which they were hidden. */
  readonly #hidden = new Set<Update>();
  /** Updates that have a value and of whose ids readers here see nothing. */
  #unseen = 0;
  #liveBytes = 0;
  #tombstoneBytes = 0;
  #arrivals = 0;
  /** Grows with every change of what is live. */
  version: number = 0;

  /** Ids held, tombstones among them. */
  get size(): number {
    return this.#byId.size;
  }

  /** Ids that have a value. */
  get liveCount(): number {
    return this.#byId.size - this.#tombstones.size;
  }

  /** Ids of which readers here see a value. */
  get visibleCount(): number {
    return this.liveCount - this.#unseen;
  }

  /** Updates with a value that a verdict hides from readers here, in the order in which they were hidden. */
  get hidden(): ReadonlySet<Update> {
    return this.#hidden;
  }

  /** Bytes of the ids and values of what has a value, as `maxUpdateBytes` counts them. */
  get liveBytes(): number {
    return this.#liveBytes;
  }

  get tombstoneCount(): number {
    return this.#tombstones.size;
  }

  /** Bytes of the ids of tombstones. */
  get tombstoneBytes(): number {
    return this.#tombstoneBytes;
  }

  /** The tombstone that arrived first. */
  get oldestTombstone(): Update | undefined {
    return this.#tombstones.oldest;
  }

  /** The number that the latest arrival got. */
  get lastArrival(): number {
    return this.#arrivals;
  }

  get(id: string): Update | undefined {
    return this.#byId.get(id);
  }

  /** The update of a dot, if it is still the newest of its id. */
  byDot(origin: Origin, sequence: number): Update | undefined {
    return this.#byOrigin.get(origin.key)?.get(sequence);
  }

  /** Those of these dots that are still the newest of their ids, in the order of the dots. */
  byDots(dots: Dots): Update[] {
    const updates: Update[] = [];
    for (const { origin, intervals } of dots)
      for (let i = 0; i < intervals.length; i += 2)
        for (let sequence = intervals[i] as number; sequence <= (intervals[i + 1] as number); sequence++) {
          const update = this.byDot(origin, sequence);
          if (update !== undefined) updates.push(update);
        }
    return updates;
  }

  /** Whether any update of this origin is held, tombstones among them. */
  holdsAnyOf(origin: Origin): boolean {
    const index = this.#byOrigin.get(origin.key);
    return index !== undefined && index.pages.size > 0;
  }

  /** All updates in order of arrival. */
  [Symbol.iterator](): IterableIterator<Update> {
    return this.#byId.values();
  }

  /**
   * Makes `update` the one of its id and the last arrival, in place of `former`, which the caller has looked up.
   * @param nowMs arrival time: a tombstone is kept from then
   */
  set(update: Update, former: Update | undefined, nowMs: number): void {
    if (former !== undefined) this.drop(former);
    this.#byId.set(update.id, update);
    update.arrival = ++this.#arrivals;
    this.#indexOf(update.origin).set(update);
    if (update.value === undefined) {
      this.#tombstones.set(update, nowMs);
      this.#tombstoneBytes += update.id.length;
    } else {
      this.#liveBytes += update.id.length + update.value.length;
      if (update.view !== undefined) this.#enterView(update);
      this.#sumUp(update, 1);
    }
  }

  /** Changes what readers here see of an update that has a value. */
  show(update: Update, view: View): void {
    this.#leaveView(update);
    update.view = view;
    this.#enterView(update);
  }

  #enterView(update: Update): void {
    if (isHidden(update)) this.#hidden.add(update);
    if (visible(update) === undefined) this.#unseen++;
  }

  #leaveView(update: Update): void {
    this.#hidden.delete(update);
    if (visible(update) === undefined) this.#unseen--;
  }

  /** Takes an update out, without a trace. */
  drop(update: Update): void {
    update.arrival = 0;
    this.#byId.delete(update.id);
    this.#indexOf(update.origin).delete(update);
    if (update.value === undefined) {
      this.#tombstones.delete(update);
      this.#tombstoneBytes -= update.id.length;
    } else {
      this.#liveBytes -= update.id.length + update.value.length;
      if (update.view !== undefined) this.#leaveView(update);
      this.#sumUp(update, -1);
    }
  }

  /** Tombstones that arrived at `before` or earlier (wall-clock milliseconds), oldest first. */
  tombstonesUpTo(before: number): Update[] {
    const result: Update[] = [];
    for (const [update, at] of this.#tombstones) if (at <= before) result.push(update);
    return result;
  }

  /** Updates whose time is up. */
  expired(nowMs: number): Update[] {
    const result: Update[] = [];
    for (const [second, slot] of this.#expiring) {
      if (second * 1000 > nowMs) continue;
      for (const update of slot.updates) if ((update.expiresAt as number) <= nowMs) result.push(update);
    }
    return result;
  }

  /** When the next update expires, in milliseconds since 1970; `undefined`: none does. Cheap while that does not change. */
  get nextExpiryMs(): number | undefined {
    if (this.#nextExpiryMs === undefined && this.#expiring.size > 0) {
      let second = Infinity;
      for (const key of this.#expiring.keys()) second = Math.min(second, key);
      let next = Infinity;
      for (const update of (this.#expiring.get(second) as ExpirySlot).updates)
        next = Math.min(next, update.expiresAt as number);
      this.#nextExpiryMs = next;
    }
    return this.#nextExpiryMs;
  }

  /** The sum of h(dot) over what is live and outlives `horizonMs`: what has no expiry, or expires in a later second. */
  liveSum(horizonMs: number): Sum {
    const sum = this.#live.slice();
    for (const [second, slot] of this.#expiring) if (second * 1000 > horizonMs) addTerm(sum, 0, slot.sum, 1);
    return sum;
  }

  /** In how many different seconds something expires: what `liveSum` walks over. */
  get expiringSeconds(): number {
    return this.#expiring.size;
  }

  /** As `liveSum`, per bucket of the id's hash: the lanes of bucket b from 4b. A copy. */
  liveBucketSums(horizonMs: number): Int32Array {
    const sums = this.#liveBuckets.slice();
    for (const [second, slot] of this.#expiring) {
      if (second * 1000 <= horizonMs) continue;
      for (const { id, origin, sequence } of slot.updates)
        addTerm(sums, liveBucketOf(id), hashDot(origin.seeds, sequence), 1);
    }
    return sums;
  }

  #indexOf(origin: Origin): DotIndex {
    if (origin === this.#indexOrigin) return this.#index;
    let index = this.#byOrigin.get(origin.key);
    if (index === undefined) {
      index = new DotIndex();
      this.#byOrigin.set(origin.key, index);
    }
    this.#indexOrigin = origin;
    this.#index = index;
    return index;
  }

  /** Drops the empty index of an origin that left the context. */
  forget(origin: Origin): void {
    this.#byOrigin.delete(origin.key);
    this.#indexOrigin = null;
  }

  #sumUp(update: Update, sign: 1 | -1): void {
    this.version++;
    const { origin, sequence, expiresAt } = update;
    const term = hashDot(origin.seeds, sequence);
    if (expiresAt === undefined) {
      addTerm(this.#live, 0, term, sign);
      addTerm(this.#liveBuckets, liveBucketOf(update.id), term, sign);
      return;
    }
    const second = Math.floor(expiresAt / 1000);
    let slot = this.#expiring.get(second);
    if (slot === undefined) {
      slot = { sum: emptySum(), updates: new Set() };
      this.#expiring.set(second, slot);
    }
    addTerm(slot.sum, 0, term, sign);
    if (sign > 0) {
      slot.updates.add(update);
      if (this.#nextExpiryMs !== undefined && expiresAt < this.#nextExpiryMs) this.#nextExpiryMs = expiresAt;
      return;
    }
    slot.updates.delete(update);
    if (slot.updates.size === 0) this.#expiring.delete(second);
    if (expiresAt === this.#nextExpiryMs) this.#nextExpiryMs = undefined;
  }
}

/** Whether an update is beyond the horizon of a live sum: it has a value and outlives that second. */
export function outlives(update: Update, horizonMs: number): boolean {
  if (update.value === undefined) return false;
  return update.expiresAt === undefined || Math.floor(update.expiresAt / 1000) * 1000 > horizonMs;
}
