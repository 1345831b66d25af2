/**
 * Leases: ephemeral values of this replica that live on for as long as it renews them.
 *
 * Invariants
 *  1. A value that nobody renews any more, since its node is gone for ever, expires everywhere.
 *  2. What is due follows from what is held: neither a crash of an instance nor a late timer loses a lease.
 */

/** So long an ephemeral value lives that was given no life of its own, unless it is renewed; in milliseconds. */
export const LEASE_MS = 3_600_000;
/** So long after it was written it is renewed. */
const RENEWED_MS = LEASE_MS / 2;

export class Leases {
  /** When each id is to be renewed: those written first come first. */
  readonly #due = new Map<string, number>();

  get size(): number {
    return this.#due.size;
  }

  has(id: string): boolean {
    return this.#due.has(id);
  }

  /** An id has been written under a lease. */
  begin(id: string, nowMs: number): void {
    this.#due.delete(id);
    this.#due.set(id, nowMs + RENEWED_MS);
  }

  end(id: string): void {
    this.#due.delete(id);
  }

  /** When the next id is to be renewed; `undefined`: none is. */
  get nextMs(): number | undefined {
    for (const dueMs of this.#due.values()) return dueMs;
    return undefined;
  }

  /** The ids that are to be renewed by now, in the order in which they were written; each is to be begun anew or ended. */
  due(nowMs: number): string[] {
    const ids: string[] = [];
    for (const [id, dueMs] of this.#due) {
      // What is due later than a lease allows was written before the clock was set back.
      if (dueMs > nowMs && dueMs <= nowMs + RENEWED_MS) break;
      ids.push(id);
    }
    return ids;
  }
}
