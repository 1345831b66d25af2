/**
 * What peers claim while this replica holds back some of theirs: perhaps it is over there for that very thing, and another
 * peer still has it for us. So it is not taken up at once, but not put off for ever either: else one update that is stamped
 * far ahead would keep out whatever is over, as long as its time has not come.
 *
 * Invariants
 *  1. What is due was lacked for all of the patience since it was claimed, whoever claimed something else meanwhile.
 *  2. It remembers so much at most, thrice, as `Context.room` counts it: more waits for its turn.
 */

import { Context, type Dots, roomOf } from '../../context.ts';
import { dotFrames } from '../dots.ts';

const ROOM = 65_536;

export class PutOff {
  readonly #patienceMs: number;
  /** Has waited for long enough, and not been claimed again. */
  #ripe = new Context();
  /** Waits since the present period began, or for longer. */
  #waiting = new Context();
  /** Was put off during the present period. */
  #later = new Context();
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
    if (nowMs < this.#sinceMs) this.clear();
    const isNewPeriod = nowMs < this.#sinceMs || nowMs - this.#sinceMs >= this.#patienceMs;
    if (isNewPeriod) this.#turn(nowMs);
    const due = this.#ripe.common(lacked);
    this.#ripe.removeAll(due);
    const rest = this.#waiting.lacking(Context.of(due).lacking(lacked));
    // At its beginning nothing has been put off during a period.
    add(isNewPeriod ? this.#waiting : this.#later, rest);
    return due;
  }

  #turn(nowMs: number): void {
    const waited = this.#waiting;
    if (this.#ripe.room + waited.room > ROOM) this.#ripe = waited;
    else this.#ripe.addAll(waited.dots());
    this.#waiting = this.#later;
    this.#later = new Context();
    this.#sinceMs = nowMs;
  }

  /** What was put off was lacked by a store that is no more. */
  clear(): void {
    this.#ripe = new Context();
    this.#waiting = new Context();
    this.#later = new Context();
  }
}

/** Adds as much as there is room for, of an origin with very many gaps a part. */
function add(context: Context, dots: Dots): void {
  for (const frame of dotFrames(dots))
    for (const entry of frame) if (context.room + roomOf([entry]) <= ROOM) context.addAll([entry]);
}
