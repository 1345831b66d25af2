/**
 * The allowance of a peer: how much it may bring in a second, as two token buckets, of updates and of bytes.
 *
 * What is beyond is not dropped: the connection is not read until the buckets have filled up again, so that the peer
 * feels it. What has come already is taken, and owed.
 *
 * Invariants
 *  1. A peer that was quiet may bring two seconds' worth at once, and never more.
 *  2. A connection takes up what the one before it, of a peer of the same name, has left: who comes again gains nothing.
 *  3. Nobody is held for longer than `LONGEST_MS` at a time: the peer would take it for dead. What it owes beyond is
 *     forgiven, so a bound below one frame in that time is not held exactly.
 */

import { AgedMap } from '@grapevine/core';

export interface AllowanceOptions {
  readonly updatesPerSecond: number;
  readonly bytesPerSecond: number;
}

const BURST_SECONDS = 2;
const LONGEST_MS = 5000;

export class Allowance {
  readonly #updatesPerMs: number;
  readonly #bytesPerMs: number;
  #updates: number;
  #bytes: number;
  #atMs: number;

  constructor({ updatesPerSecond, bytesPerSecond }: AllowanceOptions, nowMs: number) {
    this.#updatesPerMs = updatesPerSecond / 1000;
    this.#bytesPerMs = bytesPerSecond / 1000;
    this.#updates = updatesPerSecond * BURST_SECONDS;
    this.#bytes = bytesPerSecond * BURST_SECONDS;
    this.#atMs = nowMs;
  }

  /** Whether it was last used so long ago that it must be whole again. */
  isWhole(nowMs: number): boolean {
    return nowMs - this.#atMs >= 1000 * BURST_SECONDS + LONGEST_MS;
  }

  /** Counts what has come. @returns for how many milliseconds nothing more shall; 0: it may go on */
  take(updates: number, bytes: number, nowMs: number): number {
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
    this.#updates = refilled(this.#updates, this.#updatesPerMs, elapsedMs) - updates;
    this.#bytes = refilled(this.#bytes, this.#bytesPerMs, elapsedMs) - bytes;
    // More is owed by nobody.
    this.#updates = Math.max(this.#updates, -this.#updatesPerMs * LONGEST_MS);
    this.#bytes = Math.max(this.#bytes, -this.#bytesPerMs * LONGEST_MS);
    const owedMs = Math.max(-this.#updates / this.#updatesPerMs, -this.#bytes / this.#bytesPerMs);
    return owedMs > 0 ? Math.ceil(owedMs) : 0;
  }
}

/** Allowances that are kept for peers who are gone and have used up some: of more, the longest gone begins anew. */
const KEPT_AT_MOST = 4096;

/** The allowances of all peers of a node, by name. */
export class Allowances {
  readonly #options: AllowanceOptions;
  /** Who is there. */
  readonly #present = new Map<string, { readonly allowance: Allowance; connections: number }>();
  /** Who is gone, the longest first. */
  readonly #gone = new AgedMap<string, Allowance>();

  constructor(options: AllowanceOptions) {
    this.#options = options;
  }

  /** How many are kept for peers who are gone. */
  get kept(): number {
    return this.#gone.size;
  }

  /** A connection of this peer has begun. */
  begun(peer: string, nowMs: number): Allowance {
    const present = this.#present.get(peer);
    if (present !== undefined) {
      present.connections++;
      return present.allowance;
    }
    const allowance = this.#gone.get(peer) ?? new Allowance(this.#options, nowMs);
    this.#gone.delete(peer);
    this.#present.set(peer, { allowance, connections: 1 });
    return allowance;
  }

  /** A connection of this peer that had begun is over. */
  ended(peer: string, nowMs: number): void {
    const present = this.#present.get(peer);
    if (present === undefined || --present.connections > 0) return;
    this.#present.delete(peer);
    this.#gone.set(peer, present.allowance);
    for (let name = this.#gone.oldest; name !== undefined; name = this.#gone.oldest) {
      if (this.#gone.size <= KEPT_AT_MOST && this.#gone.get(name)?.isWhole(nowMs) !== true) return;
      this.#gone.delete(name);
    }
  }
}

function refilled(tokens: number, perMs: number, elapsedMs: number): number {
  return Math.min(perMs * 1000 * BURST_SECONDS, tokens + perMs * elapsedMs);
}
