/**
 * A Map from which the oldest entry is taken again and again: a queue in which each entry can also be found by its key.
 *
 * Rule of V8: a Map keeps the slots of deleted entries until it is rehashed, and every new iterator walks over them. Taking
 * the first key by a new iterator each time therefore costs as much as there are deleted slots.
 *
 * Invariants
 *  1. One iterator is kept and never passes an entry that is still there, so `oldest` costs O(1) on the average.
 *  2. An entry that is deleted and set again is the youngest. Setting a key that is there keeps its place.
 */
export class AgedMap<K, V> {
  readonly #entries = new Map<K, V>();
  #keys: Iterator<K> = this.#entries.keys();
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
    this.#entries.set(key, value);
  }

  delete(key: K): boolean {
    if (this.#oldest !== null && this.#oldest.key === key) this.#oldest = null;
    return this.#entries.delete(key);
  }

  clear(): void {
    this.#oldest = null;
    this.#entries.clear();
  }

  /** The key that has been there longest. */
  get oldest(): K | undefined {
    if (this.#entries.size === 0) return undefined;
    if (this.#oldest === null) {
      let { done = false, value } = this.#keys.next() as IteratorResult<K, undefined>;
      if (done) {
        this.#keys = this.#entries.keys();
        ({ done = false, value } = this.#keys.next() as IteratorResult<K, undefined>);
      }
      this.#oldest = { key: value as K };
    }
    return this.#oldest.key;
  }

  /** All entries, the oldest first. */
  [Symbol.iterator](): IterableIterator<[K, V]> {
    return this.#entries[Symbol.iterator]();
  }
}
