/**
 * Origins by numbers: a name and an epoch are told once per connection, afterwards a number of one to three bytes stands
 * for them.
 *
 * Invariants
 *  1. The sending node chooses the numbers, the same for all its connections, so that a frame is encoded once for all.
 *  2. A number is never used for another origin, not even when its own is forgotten.
 */

import type { Origin } from '@grapevine/core';
import { maxOrigins } from './limits.ts';
import { malformed } from './malformed.ts';

export interface NumberedOrigin {
  readonly number: number;
  readonly origin: Origin;
}

/** A numbered origin with what the frame in work knows of it. */
export class OriginEntry implements NumberedOrigin {
  readonly number: number;
  readonly origin: Origin;
  /** The list in which it was met last. */
  list = 0;
  /** The sequence number that follows the last one of this origin in this list. */
  nextSequence = 1;

  constructor(number: number, origin: Origin) {
    this.number = number;
    this.origin = origin;
  }
}

/** The sender's side: gives numbers. */
export class OriginNumbers {
  readonly #byKey = new Map<string, OriginEntry>();
  #given = 0;
  #list = 0;
  #used: OriginEntry[] = [];

  beginFrame(): void {
    this.#list++;
    this.#used = [];
  }

  /** The origins of the frame in work. */
  get used(): readonly OriginEntry[] {
    return this.#used;
  }

  use(origin: Origin): OriginEntry {
    let entry = this.#byKey.get(origin.key);
    if (entry === undefined) {
      entry = new OriginEntry(++this.#given, origin);
      this.#byKey.set(origin.key, entry);
    }
    if (entry.list !== this.#list) {
      entry.list = this.#list;
      entry.nextSequence = 1;
      this.#used.push(entry);
    }
    return entry;
  }

  get size(): number {
    return this.#byKey.size;
  }

  /** @returns the numbers of those that are not kept, which stand for nothing any more */
  prune(isKept: (origin: Origin) => boolean): number[] {
    const dropped: number[] = [];
    for (const [key, { number, origin }] of this.#byKey) {
      if (isKept(origin)) continue;
      this.#byKey.delete(key);
      dropped.push(number);
    }
    return dropped;
  }

  forget(origin: Origin): number | undefined {
    const entry = this.#byKey.get(origin.key);
    this.#byKey.delete(origin.key);
    return entry?.number;
  }
}

/** The receiver's side: what the peer's numbers mean on this connection. */
export class OriginTable {
  readonly #byNumber = new Map<number, OriginEntry>();
  /** Which number each origin has. */
  readonly #numbers = new Map<string, number>();
  #list = 0;
  readonly #most: () => number;

  /** @param most so many origins may be numbered at a time */
  constructor(most: () => number = () => maxOrigins) {
    this.#most = most;
  }

  learn(number: number, origin: Origin): void {
    const known = this.#byNumber.get(number);
    if (known !== undefined) {
      if (known.origin.key === origin.key) return;
      throw malformed(`origin number ${number} is told twice, of two origins`);
    }
    if (this.#numbers.has(origin.key))
      throw malformed(`an origin is told twice, with two numbers: ${number} is the second`);
    if (this.#byNumber.size >= this.#most()) throw malformed(`more than ${this.#most()} origins are numbered`);
    this.#byNumber.set(number, new OriginEntry(number, origin));
    this.#numbers.set(origin.key, number);
  }

  forget(number: number): void {
    const known = this.#byNumber.get(number);
    if (known === undefined) return;
    this.#numbers.delete(known.origin.key);
    this.#byNumber.delete(number);
  }

  beginList(): void {
    this.#list++;
  }

  /** @throws FRAME_MALFORMED when the number was not told */
  use(number: number): OriginEntry {
    const entry = this.#byNumber.get(number);
    if (entry === undefined) throw malformed(`origin number ${number} was not told before`);
    if (entry.list !== this.#list) {
      entry.list = this.#list;
      entry.nextSequence = 1;
    }
    return entry;
  }

  /** As `use`, where an origin may stand only once in the list. */
  useOnce(number: number): OriginEntry {
    const entry = this.#byNumber.get(number);
    if (entry === undefined) throw malformed(`origin number ${number} was not told before`);
    if (entry.list === this.#list) throw malformed(`origin number ${number} stands twice in a list`);
    entry.list = this.#list;
    entry.nextSequence = 1;
    return entry;
  }
}
