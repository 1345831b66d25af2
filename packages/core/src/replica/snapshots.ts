/**
 * Snapshots of what readers see.
 *
 * Invariant: a snapshot costs only what changes while it is open. What an id had before its first change is kept beside the
 * store, for each snapshot.
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

export class Snapshots {
  readonly #store: Store;
  readonly #overlays = new Set<Map<string, Bytes | undefined>>();

  constructor(store: Store) {
    this.#store = store;
  }

  /** What readers see now. */
  take(): StoredView {
    const store = this.#store;
    const overlay = new Map<string, Bytes | undefined>();
    this.#overlays.add(overlay);
    return {
      arrival: store.lastArrival,
      get: (id) => (overlay.has(id) ? overlay.get(id) : store.read(id)),
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
    for (const overlay of this.#overlays) if (!overlay.has(id)) overlay.set(id, visibleOf(former));
  }
}

function visibleOf(update: Update | undefined): Bytes | undefined {
  return update === undefined ? undefined : visible(update);
}

function* snapshotEntries(
  store: Store,
  overlay: ReadonlyMap<string, Bytes | undefined>,
): IterableIterator<[string, Bytes]> {
  for (const [id, value] of overlay) if (value !== undefined) yield [id, value];
  for (const update of store) {
    const value = visible(update);
    if (value !== undefined && !overlay.has(update.id)) yield [update.id, value];
  }
}
