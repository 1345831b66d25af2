/**
 * What peers claim while this replica holds back some of theirs: perhaps it is over there for that very thing, and another
 * peer still has it for us. So it is not taken up at once, but not put off for ever either: else one update that is stamped
 * far ahead would keep out whatever is over, as long as its time has not come.
 *
 * Invariants
 *  1. What is due was lacked, and claimed, for all of the patience.
 *  2. It remembers so much at most, as `Context.room` counts it: more waits for its turn.
 */

import { Context, type Dots, roomOf } from '../../context.ts';

const ROOM = 65_536;

export class PutOff {
  readonly #patienceMs: number;
  #dots = new Context();
  #sinceMs = 0;

  /** @param patienceMs how long others have to bring it */
  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs;
  }

  /**
   * Puts dots off that are claimed and lacked.
   * @returns those of them that have been for long enough
   */
  due(lacked: Dots, nowMs: number): Dots {
    // A clock that was set back begins anew.
    const isOver = nowMs - this.#sinceMs >= this.#patienceMs;
    if (!this.#dots.isEmpty && nowMs >= this.#sinceMs && !isOver) return [];
    const due = isOver ? this.#dots.common(lacked) : [];
    const rest = Context.of(due).lacking(lacked);
    this.#dots = new Context();
    for (const dots of rest) if (this.#dots.room + roomOf([dots]) <= ROOM) this.#dots.addAll([dots]);
    this.#sinceMs = nowMs;
    return due;
  }

  /** What was put off was lacked by a store that is no more. */
  clear(): void {
    this.#dots = new Context();
  }
}
