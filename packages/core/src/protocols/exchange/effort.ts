/**
 * Effort: how often peers may have us walk through all that we hold.
 *
 * Some messages of the exchange are a few bytes long, and their answer costs a walk through the whole store: two thousand of
 * them would keep a node with 100,000 ids busy for half a minute. Honest peers send a few of them in an exchange.
 *
 * Invariants
 *  1. A peer has us walk over `STEPS_A_SECOND` updates in a second at most, but through the whole store once a second in any
 *     case; what it did not use in half a second, or four walks where that is more, may come at once.
 *  2. A peer that comes back at once has no more than before.
 *  3. It remembers peers only as long as they have used something up.
 */

/** Some tenths of a second of work. */
const STEPS_A_SECOND = 2_000_000;
const BURST_MS = 500;
const BURST_WALKS = 4;
const LONGEST_MS = 1000;
/** So many peers are remembered before those that have used nothing up are forgotten. */
const FEW_PEERS = 64;

interface Spent {
  /** What was used up as of then, in milliseconds of the allowance. */
  owedMs: number;
  atMs: number;
}

export class Effort {
  readonly #spent = new Map<string, Spent>();
  #pruneAt = FEW_PEERS;

  /**
   * Counts a walk for a peer.
   * @param steps how many are walked over
   * @returns whether it may be made
   */
  take(peer: string, steps: number, nowMs: number): boolean {
    const costMs = Math.min(LONGEST_MS, (steps / STEPS_A_SECOND) * 1000);
    const owedMs = this.#owedMs(peer, nowMs) + costMs;
    if (owedMs > Math.max(BURST_MS, BURST_WALKS * costMs)) return false;
    this.#spent.set(peer, { owedMs, atMs: nowMs });
    if (this.#spent.size > this.#pruneAt) this.#prune(nowMs);
    return true;
  }

  #owedMs(peer: string, nowMs: number): number {
    const spent = this.#spent.get(peer);
    if (spent === undefined) return 0;
    // A clock that was set back goes on from there.
    if (nowMs < spent.atMs) spent.atMs = nowMs;
    return Math.max(0, spent.owedMs - (nowMs - spent.atMs));
  }

  #prune(nowMs: number): void {
    for (const peer of this.#spent.keys()) if (this.#owedMs(peer, nowMs) === 0) this.#spent.delete(peer);
    this.#pruneAt = 2 * this.#spent.size + FEW_PEERS;
  }
}
