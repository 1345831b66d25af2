/**
 * A Map from which the oldest entry is taken again and again: a queue in which each entry can also be found by its key.
 *
 * Rule of V8: a Map keeps the slots of deleted entries until it is rehashed, and every new iterator walks over them. Taking
 * the first key by a new iterator each time therefore costs as much as there are deleted slots. An iterator that is kept and not
 * used keeps every table that the Map has outgrown since, with all that was in them.
 *
 * Invariants
 *  1. One iterator is kept and never passes an entry that is still there. It is given up after as many changes as there are
 *     entries, so `oldest` and all changes cost O(1) on the average, and nothing that was deleted is kept for long.
 *  2. An entry that is deleted and set again is the youngest. Setting a key that is there keeps its place.
 */
export class AgedMap<K, V> {
  readonly #entries = new Map<K, V>();
  #keys: Iterator<K> | null = null;
  /** Entries set and deleted since the iterator was used. */
  #changes = 0;
  /** The key that the iterator returned last, while its entry is there. */
  #oldest: { readonly key: K } | null = null;

  get size(): number {
    return this.#entries.size;
  }

  get(key: K): V | undefined {
    return this.#entries.get(key);
  }

  has(key: K): boolean {
    return this.#entries.has(key);
  }

  set(key: K, value: V): void {
    const { size } = this.#entries;
    this.#entries.set(key, value);
    if (this.#entries.size > size) this.#changed();
  }

  delete(key: K): boolean {
    if (this.#oldest !== null && this.#oldest.key === key) this.#oldest = null;
    const isDeleted = this.#entries.delete(key);
    if (isDeleted) this.#changed();
    return isDeleted;
  }

  clear(): void {
    this.#oldest = null;
    this.#keys = null;
    this.#entries.clear();
  }

  /** The key that has been there longest. */
  get oldest(): K | undefined {
    if (this.#entries.size === 0) return undefined;
    if (this.#oldest === null) this.#oldest = { key: this.#next() };
    return this.#oldest.key;
  }

  /** All entries, the oldest first. */
  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.#entries[Symbol.iterator]();
  }

  /** The next key of the iterator, or the first of a new one. */
  #next(): K {
    this.#changes = 0;
    const result = this.#keys?.next();
    if (result !== undefined && result.done !== true) return result.value;
    this.#keys = this.#entries.keys();
    return this.#keys.next().value as K;
  }

  #changed(): void {
    this.#changes += 1;
    if (this.#changes > this.#entries.size) this.#keys = null;
  }
}
