/** What the oracles know of a node beyond its replica, from step to step. */

import { type Bytes, Context as Dots, type Origin, type Stamp, stampAt, type Update } from '@grapevine/core';

const SECOND = stampAt(1000) - stampAt(0);

/** What readers must see of a judged update: what was kept, or what they saw before. */
export interface Expected {
  readonly kept: Bytes | undefined;
}

/** What is known of a node beyond its replica. */
export class Watched {
  /** The stamps that it stored, ascending. */
  readonly stamps: Stamp[] = [];
  /** What readers must see of the updates under judgement, or judged in this step. */
  expected: Map<Update, Expected> = new Map();
  /** Dots that readers here do not see, as told by verdicts. */
  hidden: Dots = new Dots();
  openOffer: number = 0;
  /** Ids that this step touched. */
  readonly touched: Set<string> = new Set();
  /** What its peers have claimed since the last quiet time: only that may enter a context unstored. */
  claims: Dots = new Dots();
  /** Own live writes that a former life beat in this step, by id: they must be written again. */
  readonly beaten: Map<string, Bytes> = new Map();
  /**
   * When each update that is held arrived, by the number of its arrival: in virtual milliseconds, and what `movedMs` was then,
   * where the protocol forgets.
   */
  readonly arrivals: Map<number, { readonly atMs: number; readonly movedMs: number }> = new Map();
  /** How far its clock is ahead of virtual time, and how far it has been moved altogether, in either direction. */
  aheadMs: number | undefined;
  movedMs: number = 0;
  /** Each move of its clock, and virtual milliseconds of when it was first seen. */
  readonly moves: { readonly atMs: number; readonly byMs: number }[] = [];
  /**
   * When each tombstone arrived, in virtual milliseconds, by the number of its arrival; whether its clock was set back since garbage was
   * last collected, and when garbage was first collected after that.
   */
  readonly tombstones: Map<number, number> = new Map();
  isSetBack: boolean = false;
  agedAtMs: number = -Infinity;
  /** When it was last awake, by its own clock, as its replica sees it; `undefined`: its protocol does not care. */
  awakeMs: number | undefined;
  /** Virtual milliseconds of its last step. */
  steppedAtMs: number = Infinity;
  /** Virtual milliseconds of when it last did something after a sleep of about what is forgotten after. */
  wokeAtMs: number = -Infinity;
  /** The origin that it must give up in this step, since it slept too long. */
  outlived: Origin | null = null;
  isRejoining: boolean = false;
  /** While it writes again what was stamped too far ahead. */
  isRewriting: boolean = false;
  /** The offer that was open when it rejoined: its verdict decides nothing. */
  voidOffer: number = 0;
  /**
   * The greatest stamp that it stored, of those that are not above a limit; 0: there is none, or the limit stands among stamps that are
   * less than a second apart: of those a clock remembers the greatest alone.
   */
  stampUpTo(limit: Stamp): Stamp {
    const index = this.stamps.findLastIndex((stamp) => stamp <= limit);
    const stamp = this.stamps[index] ?? 0;
    return (this.stamps[index + 1] ?? Infinity) - stamp <= SECOND ? 0 : stamp;
  }

  noteStamp(stamp: Stamp): void {
    const above = this.stamps.findLastIndex((other) => other <= stamp) + 1;
    if (this.stamps[above - 1] !== stamp) this.stamps.splice(above, 0, stamp);
  }

  /** How far its clock has been moved since then, in either direction. */
  movedSince(atMs: number): number {
    let sum = 0;
    for (const move of this.moves) if (move.atMs >= atMs) sum += Math.abs(move.byMs);
    return sum;
  }

  /** Dots that entered the context in this step. */
  readonly entered: { origin: Origin; first: number; last: number }[] = [];
}
