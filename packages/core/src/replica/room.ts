/**
 * What a replica has room for: ids, bytes, origins, intervals.
 *
 * Invariants
 *  1. What replaces a value needs only the difference, and what is no value needs no room but for its origin.
 *  2. It only answers: nothing here changes the replica.
 *
 * Source: docs/algorithm.md, "A replica that is full".
 */

import type { Batch } from '../batch.ts';
import type { Context, Dots, Seen } from '../context.ts';
import { GossipError } from '../errors.ts';
import type { Origin } from '../origin.ts';
import { shownId } from '../printable.ts';
import type { Left } from '../refusals.ts';
import type { Store } from '../store.ts';
import { type Bytes, isNewer, type Update } from '../update.ts';
import type { Newcomers } from './newcomers.ts';

/** Intervals that a context may have at least, and how many more for each origin that it may have. */
const INTERVALS_LEAST = 65_536;
const INTERVALS_PER_ORIGIN = 16;

/** The most that a replica holds; `Infinity`: no bound. */
export interface Bounds {
  readonly maxIds: number;
  readonly maxBytes: number;
  readonly maxOrigins: number;
}

/** A write that is asked for. */
interface Write {
  readonly id: string;
  readonly bytes: Bytes | undefined;
}

export class Room {
  readonly #store: Store;
  readonly #context: Context;
  readonly #maxIds: number;
  readonly #maxBytes: number;
  readonly #maxOrigins: number;
  readonly #maxIntervals: number;
  readonly #newcomers: Newcomers;

  constructor(store: Store, context: Context, newcomers: Newcomers, { maxIds, maxBytes, maxOrigins }: Bounds) {
    this.#store = store;
    this.#context = context;
    this.#newcomers = newcomers;
    this.#maxIds = maxIds;
    this.#maxBytes = maxBytes;
    this.#maxOrigins = maxOrigins;
    this.#maxIntervals = Math.max(INTERVALS_LEAST, INTERVALS_PER_ORIGIN * maxOrigins);
  }

  /** Whether a batch of writes fits, whatever it replaces. */
  surelyFits(writes: readonly Write[]): boolean {
    let most = 0;
    for (const { id, bytes } of writes) most += id.length + (bytes?.length ?? 0);
    const store = this.#store;
    return store.liveCount + writes.length <= this.#maxIds && store.liveBytes + most <= this.#maxBytes;
  }

  /**
   * Checks whether a batch of writes fits, one after the other.
   * @throws GossipError STORE_FULL
   */
  check(writes: readonly Write[]): void {
    const store = this.#store;
    let ids = store.liveCount;
    let total = store.liveBytes;
    const held = new Map<string, number>();
    for (const { id, bytes } of writes) {
      const before = held.get(id) ?? store.liveBytesOf(id);
      const now = bytes === undefined ? 0 : id.length + bytes.length;
      ids += Math.sign(now) - Math.sign(before);
      total += now - before;
      held.set(id, now);
      if (now > 0 && (ids > this.#maxIds || total > this.#maxBytes)) throw this.full(id);
    }
  }

  /** Says that there is no room. */
  full(id: string): GossipError {
    const maxIds = this.#maxIds;
    const maxBytes = this.#maxBytes;
    const store = this.#store;
    const context = { id: shownId(id), ids: store.liveCount, bytes: store.liveBytes, maxIds, maxBytes };
    return new GossipError(
      'STORE_FULL',
      `There is no room for '${context.id}': ${context.ids} ids (maxIds ${maxIds}) with ${context.bytes} bytes (maxBytes ${maxBytes}) are held. Remove ids, let them expire, or raise the bound on every node.`,
      { context },
    );
  }

  /** Says, once until there is room again, that updates of others are refused. */
  refusing({ id, origin }: Update): GossipError {
    const maxIds = this.#maxIds;
    const maxBytes = this.#maxBytes;
    const maxOrigins = this.#maxOrigins;
    const store = this.#store;
    const context = this.#context;
    const { perSecond } = this.#newcomers;
    const pace = maxOrigins === Infinity ? '' : `, of new ones ${perSecond} a second`;
    return new GossipError(
      'STORE_FULL',
      `An update of '${shownId(id)}' by '${origin.name}' is refused, and so are others, until there is room: ${store.liveCount} ids (maxIds ${maxIds}) with ${store.liveBytes} bytes (maxBytes ${maxBytes}) by ${context.size} origins (maxOrigins ${maxOrigins}${pace}) are held. Other nodes keep them meanwhile.`,
      { fault: 'peer', context: { id: shownId(id), origin: origin.name, maxIds, maxBytes, maxOrigins } },
    );
  }

  /** Whether a value of so many bytes, its id included, can be held: what replaces a value needs only the difference. */
  hasRoomFor(id: string, bytes: number): boolean {
    const store = this.#store;
    if (store.liveCount < this.#maxIds && store.liveBytes + bytes <= this.#maxBytes) return true;
    const former = store.liveBytesOf(id);
    if (former === 0 && store.liveCount >= this.#maxIds) return false;
    return store.liveBytes + bytes - former <= this.#maxBytes;
  }

  /** Why a row of others cannot be taken now; `null`: it can. What stays no value needs no room but for its origin. */
  lackFor(batch: Batch, row: number, seen: Seen | undefined, nowMs: number): 'room' | 'origin' | null {
    if (seen === undefined && (this.#context.size >= this.#maxOrigins || this.#newcomers.left(nowMs) < 1))
      return 'origin';
    const isCrowded = this.#context.intervalCount >= this.#maxIntervals;
    if (isCrowded && !isNeighbour(seen, batch.sequences[row] as number)) return 'origin';
    return this.lackOfValue(batch, row, nowMs);
  }

  /** As `lackFor`, where its dot needs no room. */
  lackOfValue(batch: Batch, row: number, nowMs: number): 'room' | null {
    const id = batch.ids[row] as string;
    if (!batch.values.has(row) || (batch.expiresAt(row) ?? Infinity) <= nowMs) return null;
    if (this.hasRoomFor(id, batch.bytesOf(row))) return null;
    const former = this.#store.get(id);
    return former !== undefined && isNewer(former, batch.at(row)) ? null : 'room';
  }

  /** Whether an update would not even fit into an empty store. */
  isHopeless({ id, value }: Update): boolean {
    return this.#maxIds === 0 || id.length + (value?.length ?? 0) > this.#maxBytes;
  }

  /** What is left now, for what was refused. */
  left(nowMs: number): Left {
    return {
      ids: this.#maxIds - this.#store.liveCount,
      bytes: this.#maxBytes - this.#store.liveBytes,
      origins: this.#hasIntervals ? this.#originsLeft(nowMs) : 0,
    };
  }

  /** Whether more dots of an origin that is known can be taken up, wherever they lie. */
  takesMoreOf(origin: Origin): boolean {
    return this.#hasIntervals && this.#context.find(origin) !== undefined;
  }

  #originsLeft(nowMs: number): number {
    return Math.min(this.#maxOrigins - this.#context.size, this.#newcomers.left(nowMs));
  }

  get #hasIntervals(): boolean {
    return this.#context.intervalCount < 0.75 * this.#maxIntervals;
  }

  /** Whether a claim could bring more origins or intervals than the context may have. */
  isCrowded(claim: Dots, nowMs: number): boolean {
    const { intervalCount } = this.#context;
    if (claim.length <= this.#originsLeft(nowMs) && intervalCount + countIntervals(claim) <= this.#maxIntervals)
      return false;
    return true;
  }

  /** What there is room for. The rest is not said to be seen, which is safe: it is claimed again when there is room. */
  withRoom(claim: Dots, nowMs: number): Dots {
    let origins = this.#originsLeft(nowMs);
    let intervals = this.#maxIntervals - this.#context.intervalCount;
    return claim.filter((entry) => {
      const isKnown = this.#context.find(entry.origin) !== undefined;
      const fits = (isKnown || origins > 0) && entry.intervals.length / 2 <= intervals;
      if (fits) {
        if (!isKnown) origins--;
        intervals -= entry.intervals.length / 2;
      }
      return fits;
    });
  }
}

function countIntervals(dots: Dots): number {
  let count = 0;
  for (const { intervals } of dots) count += intervals.length / 2;
  return count;
}

/** Whether a number joins an interval that is there. */
function isNeighbour(seen: Seen | undefined, sequence: number): boolean {
  return seen !== undefined && (seen.has(sequence - 1) || seen.has(sequence + 1));
}
