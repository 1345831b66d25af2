/**
 * Repeats: what a node has lately said aloud of its peers. One that comes again and again, to be cut off each time, must not
 * fill the disk of the node with its log.
 *
 * Invariants
 *  1. The same is new once a minute.
 *  2. No more than a thousand different things are new in a minute, whatever names peers give themselves.
 */

import { AgedMap } from '@grapevine/core';

const REPEAT_MS = 60_000;
const MOST_A_MINUTE = 1000;

export class Repeats {
  /** When each was last said, the longest ago first. */
  readonly #saidMs = new AgedMap<string, number>();

  /** Whether it is to be said aloud now; then it counts as said. @param nowMs on a clock that never runs back */
  isNew(what: string, nowMs: number): boolean {
    for (let other = this.#saidMs.oldest; other !== undefined; other = this.#saidMs.oldest) {
      if ((this.#saidMs.get(other) as number) > nowMs - REPEAT_MS) break;
      this.#saidMs.delete(other);
    }
    if (this.#saidMs.has(what) || this.#saidMs.size >= MOST_A_MINUTE) return false;
    this.#saidMs.set(what, nowMs);
    return true;
  }
}
