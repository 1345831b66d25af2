/**
 * What a handler is shown: the received updates, and what is stored here, as maps from id to value.
 *
 * Invariants
 *  1. A value is decoded when it is first read, and a received one only once.
 *  2. Neither can be changed through it; a decoded value is the handler's own copy.
 *
 * Source: docs/architecture.md.
 */

import type { StoredView, Update } from '@grapevine/core';
import { decodeValue } from '@grapevine/wire';

/** The iterator of a map, without its name `MapIterator`, which TypeScript has since 5.6 only. */
type IterationOver<T> = ReturnType<ReadonlyMap<T, unknown>['keys']>;

/** What is stored here, as of the offer. */
export interface Stored {
  /** The value that readers here see; `undefined`: none. */
  get(id: string): unknown;
  has(id: string): boolean;
  entries(): IterableIterator<[id: string, value: unknown]>;
}

/** The received updates, in order of arrival. */
export class Received implements ReadonlyMap<string, unknown> {
  readonly #updates = new Map<string, Update>();
  readonly #values = new Map<string, unknown>();

  constructor(updates: readonly Update[]) {
    for (const update of updates) this.#updates.set(update.id, update);
  }

  get size(): number {
    return this.#updates.size;
  }

  /** The update itself; not for handlers. */
  update(id: string): Update | undefined {
    return this.#updates.get(id);
  }

  get(id: string): unknown {
    if (this.#values.has(id)) return this.#values.get(id);
    const bytes = this.#updates.get(id)?.value;
    if (bytes === undefined) return undefined;
    const value = decodeValue(bytes);
    this.#values.set(id, value);
    return value;
  }

  has(id: string): boolean {
    return this.#updates.has(id);
  }

  keys(): IterationOver<string> {
    return this.#updates.keys();
  }

  *values(): IterationOver<unknown> {
    for (const id of this.#updates.keys()) yield this.get(id);
  }

  *entries(): IterationOver<[string, unknown]> {
    for (const id of this.#updates.keys()) yield [id, this.get(id)];
  }

  [Symbol.iterator](): IterationOver<[string, unknown]> {
    return this.entries();
  }

  forEach(visit: (value: unknown, id: string, map: ReadonlyMap<string, unknown>) => void): void {
    for (const [id, value] of this.entries()) visit(value, id, this);
  }
}

export function storedOf(view: StoredView): Stored {
  return {
    get(id) {
      const bytes = view.get(id);
      return bytes === undefined ? undefined : decodeValue(bytes);
    },
    has: (id) => view.get(id) !== undefined,
    *entries() {
      for (const [id, bytes] of view.entries()) yield [id, decodeValue(bytes)];
    },
  };
}
