/**
 * What was written, who held it, and whether what is there now may be.
 *
 * A *holder* of a write is a process that told of it: of its value, or that the id is gone. The writer is the first; that it
 * tells of its own write is the acknowledgement. All writes of an id have an order, since an id is written once a round, and
 * later only by a process that holds the write before.
 *
 * Rules, checked when all replicas are equal
 *  1. The newest write of an id that some living process has held is what is there. (Nothing acknowledged is lost while one
 *     holder lives.)
 *  2. A write that no living process has held may be there or not, but everywhere the same: it died with its holders.
 *  3. What was removed does not come back, and neither does a value that a newer one has replaced, not even for a moment.
 *
 * A write that died with its holders may still be on its way: of a clock that was ahead it is kept aside by others until its
 * time comes. Such an id is in *doubt*: any of its writes without a holder may appear, and it is not written again.
 */

interface Write<Holder> {
  /** `null`: removed. No two writes have the same value. */
  readonly value: string | null;
  readonly holders: Set<Holder>;
}

interface Id<Holder> {
  /** What all replicas held at the last check; nothing before the first. */
  settled: Write<Holder> | null;
  /** Of this round. */
  pending: Write<Holder> | null;
  /** Those that died with their holders. */
  doubtful: Write<Holder>[];
}

export interface Verdict {
  /** Sentences; empty when all is as it must be. */
  readonly lost: readonly string[];
  readonly returned: readonly string[];
  /** Writes of which no holder lived to the check, and that were not there: counted, and no violation. */
  readonly died: number;
}

export class Ledger<Holder> {
  readonly #ids = new Map<string, Id<Holder>>();
  #returned: string[] = [];

  /** Writes that were told by their writers, since the beginning. */
  acknowledged = 0;

  /** Whether this process may write this id: nobody has in this round, and it holds what was there before. */
  mayWrite(holder: Holder, id: string): boolean {
    const known = this.#ids.get(id);
    if (known === undefined) return true;
    const { settled, pending, doubtful } = known;
    return pending === null && doubtful.length === 0 && settled !== null && settled.holders.has(holder);
  }

  /** Whether an id is there, as far as the last check knows. */
  isLive(id: string): boolean {
    return (this.#ids.get(id)?.settled?.value ?? null) !== null;
  }

  /** Something is handed to a writer. `null` removes. */
  write(id: string, value: string | null): void {
    const known = this.#ids.get(id) ?? { settled: null, pending: null, doubtful: [] };
    known.pending = { value, holders: new Set() };
    this.#ids.set(id, known);
  }

  /** A process tells what an id is now. */
  told(holder: Holder, id: string, value: string | null): void {
    const known = this.#ids.get(id);
    const { settled = null, pending = null, doubtful = [] } = known ?? {};
    const write = [pending, settled, ...doubtful].find((one) => one?.value === value);
    if (write === undefined || write === null) {
      this.#returned.push(`${id} was ${value ?? 'gone'} for a moment`);
      return;
    }
    if (write === pending && write.holders.size === 0) this.acknowledged += 1;
    write.holders.add(holder);
  }

  /** Whether a living writer has not told of what was handed to it. */
  isOpen(id: string): boolean {
    return this.#ids.get(id)?.pending?.holders.size === 0;
  }

  /**
   * Judges what all replicas hold, and takes it for settled.
   * @param living all processes that live; each holds this content
   */
  check(living: readonly Holder[], content: ReadonlyMap<string, string>): Verdict {
    const lost: string[] = [];
    const returned = this.#returned.splice(0);
    let died = 0;
    for (const id of content.keys()) if (!this.#ids.has(id)) returned.push(`${id} is there, which nobody wrote`);
    for (const [id, known] of this.#ids) {
      const { settled, pending, doubtful } = known;
      const value = content.get(id) ?? null;
      const lives = (write: Write<Holder> | null): boolean => living.some((one) => write?.holders.has(one) === true);
      const must = [pending, settled].find(lives) ?? null;
      const later = must === pending ? [] : [pending];
      const allowed = [must, ...later, ...doubtful].filter((write) => write !== null);
      if (must === null) allowed.push(settled?.value === null ? settled : { value: null, holders: new Set() });
      // The holders of what was settled may all be gone, and it may be there all the same.
      if (must === null && settled !== null) allowed.push(settled);
      const is = allowed.find((write) => write.value === value);
      if (is === undefined) {
        const what = `${id} is ${value ?? 'gone'}, and must be ${allowed.map((write) => write.value ?? 'gone').join(' or ')}`;
        (must !== null && must.value !== null ? lost : returned).push(what);
      }
      const isDead = (write: Write<Holder> | null): boolean => write !== null && write !== is && !lives(write);
      if (isDead(pending)) {
        died += 1;
        known.doubtful.push(pending as Write<Holder>);
      }
      if (isDead(settled) && settled?.value !== null && is !== pending) died += 1;
      known.doubtful = known.doubtful.filter((write) => write !== is);
      known.settled = is ?? { value, holders: new Set() };
      known.settled.holders.clear();
      for (const holder of living) known.settled.holders.add(holder);
      known.pending = null;
    }
    return { lost, returned, died };
  }
}
