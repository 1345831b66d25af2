/**
 * The allowance of a peer: how much it may bring in a second, as two token buckets, of updates and of bytes.
 *
 * What is beyond is not dropped: the connection is not read until the buckets have filled up again, so that the peer
 * feels it. What has come already is taken, and owed.
 *
 * Invariants
 *  1. A peer that was quiet may bring two seconds' worth at once, and never more.
 *  2. Nobody is held for longer than `LONGEST_MS` at a time: the peer would take it for dead. What it owes beyond is
 *     forgiven, so a bound below one frame in that time is not held exactly.
 */

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

function refilled(tokens: number, perMs: number, elapsedMs: number): number {
  return Math.min(perMs * 1000 * BURST_SECONDS, tokens + perMs * elapsedMs);
}
