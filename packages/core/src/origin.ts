/**
 * Who wrote: a node's name and the epoch of its store.
 *
 * Invariants
 *  1. A store created anew takes a new, higher epoch, so a dot (origin, sequence number) never means two updates.
 *  2. An origin's two seeds depend on name and epoch alone: peers sum equal hashes.
 */

import { hashNumber, hashText } from './hash.ts';

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
  /** Seeds of this origin's two hash lanes. */
  readonly low: number;
  readonly high: number;

  constructor(name: string, epoch: number) {
    this.name = name;
    this.epoch = epoch;
    this.key = `${epoch}@${name}`;
    this.low = hashNumber(hashText(name, 0x811c9dc5), epoch);
    this.high = hashNumber(hashText(name, 0x01234567), epoch);
  }
}
