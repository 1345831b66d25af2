/**
 * Who wrote: a node's name and the epoch of its store.
 *
 * Invariants
 *  1. A store created anew takes a new, higher epoch, so a dot (origin, sequence number) never means two updates. Two stores of
 *     one name that are created at the same time differ by chance.
 *  2. An origin's seeds depend on name and epoch alone: peers sum equal hashes. They are made when they are first asked for,
 *     since most objects of this kind only name an origin whose own object a context has.
 */

import { type Seeds, seedsOf } from './hash.ts';
import { STAMP_EPOCH_MS } from './hlc.ts';
import { below, type Random } from './random.ts';

/**
 * Epochs from here on are heeded by nobody whose own they are said to be: no clock gives them, and there would soon be no
 * number above to take.
 */
export const EPOCH_LIMIT: number = 2 ** 53 - 2 ** 22;

/** So many milliseconds have their epochs in common: no process ends and is started anew within them. */
const EPOCH_TICK_MS = 64;
/** Among so many chance chooses. */
const EPOCHS_PER_TICK = 2 ** 18;
const LAST_TICK = Math.floor(EPOCH_LIMIT / EPOCHS_PER_TICK) - 1;

/**
 * An epoch for what begins at this time: `(milliseconds since 2020 / 64) × 2^18 + chance`. Two that begin within the same 64 ms
 * take the same one time in 262,144; of two others the later has the higher. The range ends in 2089, as that of stamps.
 * @param wallMs wall-clock milliseconds
 * @returns a whole number from 1, below `EPOCH_LIMIT`
 */
export function epochAt(wallMs: number, random: Random): number {
  const tick = Math.floor((wallMs - STAMP_EPOCH_MS) / EPOCH_TICK_MS);
  return Math.max(0, Math.min(tick, LAST_TICK)) * EPOCHS_PER_TICK + 1 + below(random, EPOCHS_PER_TICK - 1);
}

export class Origin {
  readonly name: string;
  /** `epochAt` of the store's creation, or above what a peer remembered. Earlier releases: milliseconds since 1970. */
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
