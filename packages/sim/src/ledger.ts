/**
 * The ledger of an all-knowing observer: every write that was ever made, by its dot and by its id.
 *
 * Invariants
 *  1. A dot means one write for ever; what comes under it a second time is a violation, not an entry.
 *  2. What a writer had seen is noted where it can matter: for what removes.
 */

import { type Context, type Dots, isNewer, type Origin, type Replica, Update } from '@grapevine/core';

export interface Write {
  /** The write as it was made; nobody else holds this object. */
  readonly update: Update;
  /** In which it was written; `null`: that has dropped all since, as after a long sleep. */
  replica: Replica | null;
  /** Older writes of the id that the writer had seen, where this one removes or will expire. */
  readonly seen: ReadonlySet<Write>;
  /** Virtual milliseconds at which it was written. */
  readonly atMs: number;
  /** Somebody has collected it, a tombstone: from then on its dot may be claimed without it. */
  collected: boolean;
  /** Its time was up somewhere, by the clock there: from then on it may be over everywhere. */
  expired: boolean;
  /** Its writer has taken it back, and written again what it still held (docs/algorithm.md, rule 1): it must win nowhere. */
  disowned: boolean;
}

const nothing: ReadonlySet<Write> = new Set();

export class Ledger {
  readonly #byOrigin = new Map<string, (Write | undefined)[]>();
  /** Writes of an id since the last quiet time, and the newest before. */
  readonly #byId = new Map<string, Write[]>();
  readonly #newest = new Map<string, Write>();
  count = 0;

  find(origin: Origin, sequence: number): Write | undefined {
    return this.#byOrigin.get(origin.key)?.[sequence];
  }

  newestOf(id: string): Write | undefined {
    return this.#newest.get(id);
  }

  /** Writes of an id since the last quiet time, and the newest before. */
  writesOf(id: string): readonly Write[] {
    return this.#byId.get(id) ?? [];
  }

  ids(): IterableIterator<[id: string, writes: readonly Write[]]> {
    return this.#byId.entries();
  }

  /** @returns whether the dot was free */
  enter(made: Update, replica: Replica, atMs: number): boolean {
    const { context } = replica;
    const { id, value, stamp, origin, sequence, expiresAt } = made;
    let writes = this.#byOrigin.get(origin.key);
    if (writes === undefined) this.#byOrigin.set(origin.key, (writes = []));
    if (writes[sequence] !== undefined) return false;
    const update = new Update(id, value, stamp, origin, sequence, expiresAt);
    let ofId = this.#byId.get(id);
    if (ofId === undefined) this.#byId.set(id, (ofId = []));
    const removes = value === undefined || expiresAt !== undefined;
    const seen = removes
      ? new Set(ofId.filter((other) => context.has(other.update.origin, other.update.sequence)))
      : nothing;
    const write: Write = { update, replica, seen, atMs, collected: false, expired: false, disowned: false };
    while (writes.length < sequence) writes.push(undefined);
    writes[sequence] = write;
    ofId.push(write);
    const newest = this.#newest.get(id);
    if (newest === undefined || isNewer(update, newest.update)) this.#newest.set(id, write);
    this.count++;
    return true;
  }

  /**
   * Their writer has taken these back. Until it is quiet they may still win where somebody has taken them, and others may take for over
   * what these supersede there.
   */
  disown(dots: Dots): void {
    for (const { origin, intervals } of dots)
      for (let i = 0; i < intervals.length; i += 2)
        for (let sequence = intervals[i] as number; sequence <= (intervals[i + 1] as number); sequence++) {
          const write = this.find(origin, sequence);
          // A removal whose tombstone was collected is written again by nobody: it stays one, since the sweep knows it.
          if (write === undefined || write.collected) continue;
          write.disowned = true;
        }
  }

  /** A replica has dropped all that it held: it is nobody's writer any more. */
  rejoined(replica: Replica): void {
    for (const writes of this.#byOrigin.values())
      for (const write of writes) if (write?.replica === replica) write.replica = null;
  }

  /**
   * All replicas are equal: of every id only the newest write that they know can matter from now on. What none of them
   * knows is lost with its writer.
   */
  settle(context: Context): void {
    for (const [id, writes] of this.#byId) {
      let newest: Write | undefined;
      for (const write of writes)
        if (
          !write.disowned &&
          (write.collected || context.has(write.update.origin, write.update.sequence)) &&
          (newest === undefined || isNewer(write.update, newest.update))
        )
          newest = write;
      if (newest === undefined) {
        this.#byId.delete(id);
        this.#newest.delete(id);
      } else {
        this.#byId.set(id, [newest]);
        this.#newest.set(id, newest);
      }
    }
  }
}
