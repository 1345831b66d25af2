/**
 * Newcomers: at which pace a replica takes up origins that are new to it, once it has what others had when it came.
 *
 * What two replicas compare, and what one tells the other, grows with the origins that one of them lacks, and is done in one step.
 * In a running cluster they come as nodes are started. A member may make up thousands at once, and would so have every node of the
 * cluster stand still for as long as thousands take.
 *
 * Invariants
 *  1. A replica that has never held all that a peer had takes up as many as come: whoever joins needs them all.
 *  2. From then on the first `burst` may come at once, `perSecond` in a second, and one more for each node that has come into view.
 *
 * Source: ADR 28.
 */

/** So many of the origins that a replica may have may come at once, as a share, and at least. */
const BURST_SHARE = 1 / 64;
const BURST_LEAST = 256;
/** The same for a second. */
const SECOND_SHARE = 1 / 1024;
const SECOND_LEAST = 16;

export class Newcomers {
  readonly #burst: number;
  readonly perSecond: number;
  #isPaced = false;
  #left = 0;
  #atMs = 0;

  /** @param mostOrigins that the replica takes up from others */
  constructor(mostOrigins: number) {
    this.#burst = Math.max(BURST_LEAST, Math.floor(BURST_SHARE * mostOrigins));
    this.perSecond = Math.max(SECOND_LEAST, Math.floor(SECOND_SHARE * mostOrigins));
  }

  /** Whether they come at a pace. */
  get isPaced(): boolean {
    return this.#isPaced;
  }

  /** From now on they come at a pace. */
  pace(nowMs: number): void {
    if (this.#isPaced) return;
    this.#isPaced = true;
    this.#left = this.#burst;
    this.#atMs = nowMs;
  }

  /** What the replica held is no more: it joins anew. */
  free(): void {
    this.#isPaced = false;
  }

  /** How many may come now. */
  left(nowMs: number): number {
    if (!this.#isPaced || this.#burst === Infinity) return Infinity;
    // A clock that was set back goes on from there.
    const elapsedMs = Math.max(0, nowMs - this.#atMs);
    this.#atMs = nowMs;
    if (this.#left < this.#burst) this.#left = Math.min(this.#burst, this.#left + (this.perSecond * elapsedMs) / 1000);
    return Math.floor(this.#left);
  }

  /** So many nodes have come into view, each of which may write. @param most as many more than the burst, together */
  expect(nodes: number, most: number): void {
    this.#left = Math.min(this.#burst + most, this.#left + nodes);
  }

  /** So many have come. */
  took(count: number): void {
    this.#left -= count;
  }
}
