/**
 * With whom this replica is known to be equal, so that equals need not ask each other again and again.
 *
 * Two replicas were equal once, and each of them knows it. Whoever changes since knows that too, and begins. So it is
 * enough that each compares with those whom it has not heard to be equal since its own last change.
 *
 * Invariants
 *  1. A peer is settled only if it told hashes equal to ours of our present version.
 *  2. A new connection settles nothing.
 */

export class Agreements {
  readonly #version: () => number;
  /** Our version when a peer was last told our hashes. */
  readonly #told = new Map<string, number>();
  /** Who told hashes equal to ours, of the version of ours that stands beside it: a later version settles nobody. */
  readonly #settled = new Set<string>();
  #settledVersion = -1;

  /** @param version of the replica: grows with every change that a peer could notice */
  constructor(version: () => number) {
    this.#version = version;
  }

  /** Those of `peers` that may differ from us, as far as we know. */
  unsettled(peers: readonly string[]): readonly string[] {
    if (this.#settled.size === 0 || this.#settledVersion !== this.#version()) return peers;
    return peers.filter((peer) => !this.#settled.has(peer));
  }

  /** A peer is told our hashes now. */
  told(peer: string): void {
    this.#told.set(peer, this.#version());
  }

  /** A peer has told hashes equal to ours. @returns whether it has yet to hear that from us */
  agreed(peer: string): boolean {
    const version = this.#version();
    if (this.#settledVersion !== version) {
      this.#settledVersion = version;
      this.#settled.clear();
    }
    this.#settled.add(peer);
    return this.#told.get(peer) !== version;
  }

  forget(peer: string): void {
    this.#told.delete(peer);
    this.#settled.delete(peer);
  }
}
