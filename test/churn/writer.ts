/**
 * Writes at a steady rate: ids that were never there before, each of which is gone some seconds later.
 *
 * Invariant: a third expires, a third is removed, and a third is changed once and then removed.
 */
import { type Gossip, GossipError } from '@grapevine/node';

const LIFE_MS = [2000, 10_000] as const;

interface Due {
  readonly atMs: number;
  readonly act: () => Promise<unknown>;
}

export class Writer {
  readonly #gossip: Gossip;
  readonly #prefix: string;
  readonly #random: () => number;
  /** What is to be done, by the second in which it is. */
  readonly #due = new Map<number, Due[]>();
  #written = 0;

  /** @param prefix that nobody else's ids have */
  constructor(gossip: Gossip, prefix: string, random: () => number) {
    this.#gossip = gossip;
    this.#prefix = prefix;
    this.#random = random;
  }

  /** How many ids were added. */
  get written(): number {
    return this.#written;
  }

  /** How many ids still wait to be changed or removed. */
  get open(): number {
    let open = 0;
    for (const due of this.#due.values()) open += due.length;
    return open;
  }

  add(count: number, nowMs: number): void {
    for (let i = 0; i < count; i++) this.#addOne(nowMs);
  }

  /** Changes and removes what is due. */
  tend(nowMs: number): void {
    const second = Math.floor(nowMs / 1000);
    // In order of time, also where a process stood still for some seconds: an id that is changed after its removal stays.
    const over = [...this.#due.keys()].filter((of) => of < second).toSorted((a, b) => a - b);
    for (const of of over) {
      const due = this.#due.get(of) ?? [];
      this.#due.delete(of);
      for (const { act } of due.toSorted((a, b) => a.atMs - b.atMs)) settle(act());
    }
  }

  #addOne(nowMs: number): void {
    const n = this.#written++;
    const id = `${this.#prefix}${n}`;
    const lifeMs = Math.round(LIFE_MS[0] + this.#random() * (LIFE_MS[1] - LIFE_MS[0]));
    const value = { n, text: 'x'.repeat(Math.floor(this.#random() * 100)) };
    const fate = Math.floor(this.#random() * 3);
    settle(this.#gossip.add(id, value, fate === 0 ? { expiresIn: lifeMs } : {}));
    if (fate === 0) return;
    if (fate === 1) this.#later(nowMs + lifeMs / 2, () => this.#gossip.add(id, { ...value, changed: true }));
    this.#later(nowMs + lifeMs, () => this.#gossip.remove(id));
  }

  #later(atMs: number, act: () => Promise<unknown>): void {
    const second = Math.floor(atMs / 1000);
    const due = this.#due.get(second);
    if (due === undefined) this.#due.set(second, [{ atMs, act }]);
    else due.push({ atMs, act });
  }
}

/** A write that the end of its node came before is none; any other failure is one of the run. */
function settle(writing: Promise<unknown>): void {
  writing.catch((error: unknown) => {
    if (!(error instanceof GossipError && error.code === 'CLOSED')) throw error;
  });
}
