/**
 * News that is being passed on: the latest about each node, each a bounded number of times.
 *
 * Invariants
 *  1. Of one node only the latest is passed on, and its count starts anew with it.
 *  2. What has been passed on least goes first.
 *  3. A piece of news leaves after `limit` times.
 *  4. Dependents, who hear from few, are told each piece of news `SERVINGS` times, which count for none of those times; a bounded
 *     number of pieces at once, those first that were told least.
 *  5. To take news in, and to pass some on, costs the same however much there is: a member may make up thousands of nodes.
 *
 * Source: SWIM, section 4.1: piggyback, λ log n times, those first that were passed on least.
 */

interface Item {
  readonly name: string;
  /** Superseded by later news about the same node. */
  isOver: boolean;
}

/** The most news in one message. */
const MOST = 64;
/** How often a dependent is told a piece of news: more than once, since nobody else may tell it. */
const SERVINGS = 3;
/** The most news that all dependents are told at once: a hub sends it to each of them. */
export const MOST_SERVED = 512;
/** So many superseded items are kept beside those that count, before they are dropped. */
const FEW_OVER = 64;

export class Broadcasts {
  /** By how often it was passed on: what came, or was passed on, last stands last. */
  #rounds: Item[][] = [];
  /** The latest about each node. */
  readonly #items = new Map<string, Item>();
  /** Superseded, and still among the rounds. */
  #over = 0;
  /** What the dependents are still to be told, in order, and how often. */
  readonly #unserved = new Map<string, number>();

  get isEmpty(): boolean {
    return this.#items.size === 0;
  }

  /** Whether dependents, if there are any, have been told everything. */
  get isServed(): boolean {
    return this.#unserved.size === 0;
  }

  /** There is news about this node. */
  add(name: string): void {
    const former = this.#items.get(name);
    if (former !== undefined) {
      former.isOver = true;
      this.#over += 1;
      if (this.#over > this.#items.size + FEW_OVER) this.#dropOver();
    }
    const item = { name, isOver: false };
    this.#items.set(name, item);
    this.#put(item, 0);
    this.#unserved.delete(name);
    this.#unserved.set(name, SERVINGS);
  }

  /** The names of those about whom all dependents shall be told now, which counts as having told it. */
  serve(): string[] {
    const names: string[] = [];
    for (const name of this.#unserved.keys()) {
      if (names.length >= MOST_SERVED) break;
      names.push(name);
    }
    for (const name of names) {
      const left = (this.#unserved.get(name) as number) - 1;
      this.#unserved.delete(name);
      if (left > 0) this.#unserved.set(name, left);
    }
    return names;
  }

  /** Everybody has been told everything: there is nobody but dependents. */
  clear(): void {
    this.#rounds = [];
    this.#items.clear();
    this.#over = 0;
  }

  /**
   * The names of those about whom a message shall tell, which counts as having told it.
   * @param limit how often each is told altogether
   * @param receivers to how many the message goes
   */
  take(limit: number, receivers: number = 1): string[] {
    if (this.#items.size === 0 || receivers === 0) return [];
    const names: string[] = [];
    const kept: (readonly [item: Item, times: number])[] = [];
    for (let times = 0; times < this.#rounds.length && names.length < MOST; times++) {
      const round = this.#rounds[times] as Item[];
      for (let item = round.pop(); item !== undefined; item = round.pop()) {
        if (item.isOver) {
          this.#over -= 1;
          continue;
        }
        names.push(item.name);
        if (times + receivers < limit) kept.push([item, times + receivers]);
        else this.#items.delete(item.name);
        if (names.length === MOST) break;
      }
    }
    // In the order in which they were taken, should they be taken again together.
    for (const [item, times] of kept.reverse()) this.#put(item, times);
    return names;
  }

  #put(item: Item, times: number): void {
    while (this.#rounds.length <= times) this.#rounds.push([]);
    this.#rounds[times]?.push(item);
  }

  #dropOver(): void {
    this.#rounds = this.#rounds.map((round) => round.filter(({ isOver }) => !isOver));
    this.#over = 0;
  }
}

/** How often each piece of news is passed on in a cluster of so many. */
export function retransmitLimit(retransmitMult: number, nodes: number): number {
  return retransmitMult * Math.ceil(Math.log10(nodes + 1));
}
