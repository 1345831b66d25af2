/**
 * Arrivals: what has come for an instance and has not gone into its machine, in a lane for each connection.
 *
 * Whoever floods an instance waits in a lane of its own: of each lane a share goes into one step, so that what others said
 * waits for a share of his, and not for all of it.
 *
 * Invariants
 *  1. What one connection brought goes in order, and its end after it.
 *  2. A step takes at least one message of a lane, and beyond that no more than its share.
 *  3. While nobody brings more than a share, a step takes all that has come, and copies little.
 *
 * Source: deficit round robin (Shreedhar and Varghese 1996), where what a message overdraws is forgiven.
 */

import type { Received } from '@grapevine/core';

import type { Inbound, PeerGone } from './party.ts';

/** In updates, of one lane in one step: some milliseconds. */
export const SHARE = 1024;

/** What one connection brought. */
class Lane {
  readonly #onTaken: (inbound: Inbound) => void;
  #inbounds: Inbound[] = [];
  /** Of all of them. */
  #work = 0;
  /** Messages of the first that have been taken. */
  #taken = 0;
  /** It brings no more: to be told once all has been taken. */
  end: PeerGone | null = null;

  constructor(onTaken: (inbound: Inbound) => void) {
    this.#onTaken = onTaken;
  }

  get isEmpty(): boolean {
    return this.#inbounds.length === 0;
  }

  add(inbound: Inbound): void {
    this.#inbounds.push(inbound);
    this.#work += workOf(inbound);
  }

  /** Takes all that waits if it came at once and is no more than a share. @returns it as it came, or null */
  takeWhole(): Received[] | null {
    const [only] = this.#inbounds;
    if (only === undefined || this.#inbounds.length > 1 || this.#work > SHARE || this.#taken > 0) return null;
    this.clear();
    return only.batch;
  }

  takeShare(into: Received[]): void {
    let work = 0;
    let done = 0;
    for (; done < this.#inbounds.length && work < SHARE; done++) {
      const { batch, works } = this.#inbounds[done] as Inbound;
      while (this.#taken < batch.length && work < SHARE) {
        into.push(batch[this.#taken] as Received);
        work += works[this.#taken++] as number;
      }
      if (this.#taken < batch.length) break;
      this.#taken = 0;
    }
    for (const inbound of this.#inbounds.splice(0, done)) {
      this.#work -= workOf(inbound);
      this.#onTaken(inbound);
    }
  }

  clear(): void {
    const inbounds = this.#inbounds;
    this.#inbounds = [];
    this.#work = 0;
    this.#taken = 0;
    for (const inbound of inbounds) this.#onTaken(inbound);
  }
}

export class Arrivals {
  /** By the number of the connection. */
  readonly #lanes = new Map<number, Lane>();
  readonly #onTaken: (inbound: Inbound) => void;

  /** @param onTaken hears once of everything that was added, as soon as nothing of it waits any more */
  constructor(onTaken: (inbound: Inbound) => void) {
    this.#onTaken = onTaken;
  }

  get isEmpty(): boolean {
    return this.#lanes.size === 0;
  }

  add(inbound: Inbound): void {
    let lane = this.#lanes.get(inbound.session);
    if (lane === undefined) {
      lane = new Lane(this.#onTaken);
      this.#lanes.set(inbound.session, lane);
    }
    lane.add(inbound);
  }

  /** The connection is over. @returns whether its end waits for what it brought; else it is to be acted on now */
  end(gone: PeerGone): boolean {
    const lane = this.#lanes.get(gone.session);
    if (lane === undefined) return false;
    lane.end = gone;
    return true;
  }

  /** Whether the end of a connection waits for what it brought. */
  isOver(session: number): boolean {
    const lane = this.#lanes.get(session);
    return lane !== undefined && lane.end !== null;
  }

  /** Drops what a connection brought, and its end. */
  drop(session: number): void {
    this.#lanes.get(session)?.clear();
    this.#lanes.delete(session);
  }

  /** What goes into the machine in one step: a share of each connection. @param ended takes those that are over after it */
  take(ended: PeerGone[]): Received[] {
    let into: Received[] = [];
    for (const [session, lane] of this.#lanes) {
      const whole = into.length === 0 ? lane.takeWhole() : null;
      if (whole === null) lane.takeShare(into);
      else into = whole;
      if (!lane.isEmpty) continue;
      this.#lanes.delete(session);
      if (lane.end !== null) ended.push(lane.end);
    }
    return into;
  }
}

function workOf({ works }: Inbound): number {
  let work = 0;
  for (const each of works) work += each;
  return work;
}
