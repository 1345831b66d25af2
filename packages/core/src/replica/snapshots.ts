/**
 * Snapshots of what readers see.
 *
 * Invariants
 *  1. A snapshot costs only what changes while it is open. What an id had before its first change is kept beside the store, for each
 *     snapshot.
 *  2. An iteration gives each id once, with what it had, also if the store changes while the iteration goes on.
 */

import type { Store } from '../store.ts';
import { type Bytes, type Update, visible } from '../update.ts';

/** What readers see, as of one moment, however much the replica goes on. */
export interface StoredView {
  get(id: string): Bytes | undefined;
  entries(): IterableIterator<[id: string, value: Bytes]>;
  /** The number of the last arrival of that moment. */
  readonly arrival: number;
  release(): void;
}

/** What an id had at the moment of a snapshot. */
interface Former {
  readonly id: string;
  /** What readers saw of it; `undefined`: nothing. */
  readonly value: Bytes | undefined;
  /** Of the update that it had; 0: none. */
  readonly arrival: number;
}

/** What ids had that have changed since the moment of a snapshot. */
class Overlay {
  readonly byId = new Map<string, Former>();
  /** In the order of the changes. */
  readonly inOrder: Former[] = [];

  remember(id: string, former: Update | undefined): void {
    if (this.byId.has(id)) return;
    const value = former === undefined ? undefined : visible(former);
    const entry = { id, value, arrival: former?.arrival ?? 0 };
    this.byId.set(id, entry);
    this.inOrder.push(entry);
  }
}

export class Snapshots {
  readonly #store: Store;
  readonly #overlays = new Set<Overlay>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** Whether changes are to be remembered for anybody. */
  get isAnyOpen(): boolean {
    return this.#overlays.size > 0;
  }

  /** What readers see now. */
  take(): StoredView {
    const store = this.#store;
    const overlay = new Overlay();
    this.#overlays.add(overlay);
    return {
      arrival: store.lastArrival,
      get: (id) => {
        const former = overlay.byId.get(id);
        return former === undefined ? store.read(id) : former.value;
      },
      entries: () => snapshotEntries(store, overlay),
      release: () => {
        this.#overlays.delete(overlay);
      },
    };
  }

  /** Lets go of all snapshots. */
  release(): void {
    this.#overlays.clear();
  }

  /** To be told of every change of an id, before it, with what it had. */
  remember(id: string, former: Update | undefined): void {
    for (const overlay of this.#overlays) overlay.remember(id, former);
  }
}

function* snapshotEntries(store: Store, { byId, inOrder }: Overlay): IterableIterator<[string, Bytes]> {
  const walk = store.walk();
  let told = 0;
  // The arrival of the last update that was given out of the store.
  let last = 0;
  for (;;) {
    // What has changed before the walk came to it. What changed behind the walk was given out of the store.
    for (; told < inOrder.length; told++) {
      const { id, value, arrival } = inOrder[told] as Former;
      if (value !== undefined && arrival > last) yield [id, value];
    }
    const update = store.next(walk);
    if (update === undefined) return;
    last = update.arrival;
    const value = visible(update);
    if (value !== undefined && !byId.has(update.id)) yield [update.id, value];
  }
}
