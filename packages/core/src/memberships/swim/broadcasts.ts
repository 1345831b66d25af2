/**
 * News that is being passed on: the latest about each node, each a bounded number of times.
 *
 * Invariants
 *  1. Of one node only the latest is passed on, and its count starts anew with it.
 *  2. What has been passed on least goes first.
 *  3. A piece of news leaves after `limit` times.
 *  4. Dependents, who hear from few, are told each piece of news `SERVINGS` times, which count for none of those times.
 *
 * Source: SWIM, section 4.1: piggyback, λ log n times, those first that were passed on least.
 */

interface Item {
  readonly name: string;
  times: number;
}

/** The most news in one message. */
const MOST = 64;
/** How often a dependent is told a piece of news: more than once, since nobody else may tell it. */
const SERVINGS = 3;

export class Broadcasts {
  /** In order: what was passed on least stands first, of those what came last. */
  #items: Item[] = [];
  /** What the dependents are still to be told, in order, and how often. */
  readonly #unserved = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#items.length === 0;
  }

  /** Whether dependents, if there are any, have been told everything. */
  get isServed(): boolean {
    return this.#unserved.size === 0;
  }

  /** There is news about this node. */
  add(name: string): void {
    const index = this.#items.findIndex((item) => item.name === name);
    if (index >= 0) this.#items.splice(index, 1);
    this.#items.unshift({ name, times: 0 });
    this.#unserved.delete(name);
    this.#unserved.set(name, SERVINGS);
  }

  /** The names of those about whom all dependents shall be told now, which counts as having told it. */
  serve(): string[] {
    const names = [...this.#unserved.keys()];
    for (const name of names) {
      const left = (this.#unserved.get(name) as number) - 1;
      if (left > 0) this.#unserved.set(name, left);
      else this.#unserved.delete(name);
    }
    return names;
  }

  /** Everybody has been told everything: there is nobody but dependents. */
  clear(): void {
    this.#items = [];
  }

  /**
   * The names of those about whom a message shall tell, which counts as having told it.
   * @param limit how often each is told altogether
   * @param receivers to how many the message goes
   */
  take(limit: number, receivers: number = 1): string[] {
    if (this.#items.length === 0 || receivers === 0) return [];
    const taken = this.#items.slice(0, MOST);
    for (const item of taken) item.times += receivers;
    const kept = taken.filter(({ times }) => times < limit);
    this.#items = [...this.#items.slice(MOST), ...kept].sort((a, b) => a.times - b.times);
    return taken.map(({ name }) => name);
  }
}

/** How often each piece of news is passed on in a cluster of so many. */
export function retransmitLimit(retransmitMult: number, nodes: number): number {
  return retransmitMult * Math.ceil(Math.log10(nodes + 1));
}
