/**
 * Who wrote: a node's name and the epoch of its store.
 *
 * Invariants
 *  1. A store created anew takes a new, higher epoch, so a dot (origin, sequence number) never means two updates.
 *  2. An origin's seeds depend on name and epoch alone: peers sum equal hashes. They are made when they are first asked for,
 *     since most objects of this kind only name an origin whose own object a context has.
 */

import { type Seeds, seedsOf } from './hash.ts';

/**
 * Epochs from here on are heeded by nobody whose own they are said to be: no clock gives them, and there would soon be no
 * number above to take.
 */
export const EPOCH_LIMIT: number = 2 ** 53 - 2 ** 22;

export class Origin {
  readonly name: string;
  /** Milliseconds since 1970 at which the store was created, or one more than what a peer remembered. */
  readonly epoch: number;
  /** Tells origins apart inside this process. */
  readonly key: string;
  #seeds: Seeds | null = null;

  constructor(name: string, epoch: number) {
    this.name = name;
    this.epoch = epoch;
    this.key = `${epoch}@${name}`;
  }

  /** Of this origin's terms in sums. */
  get seeds(): Seeds {
    return (this.#seeds ??= seedsOf(this.name, this.epoch));
  }
}
