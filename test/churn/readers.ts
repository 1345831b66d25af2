/**
 * Readers of all that changes, who come and go too: each second new ones take the place of the last.
 */
import type { Party } from './party.ts';

export class Readers {
  readonly #party: Party;
  #last = new AbortController();
  /** What they were told so far: snapshots count as one. */
  told = 0;

  constructor(party: Party) {
    this.#party = party;
  }

  /** Lets the last go and begins anew. */
  renew(): void {
    this.end();
    this.#last = new AbortController();
    const { signal } = this.#last;
    const { grapevine, gossips } = this.#party;
    for (const changes of [grapevine.memberChanges({ signal }), ...gossips.map((gossip) => gossip.changes({ signal }))])
      void this.#read(changes);
  }

  end(): void {
    this.#last.abort();
  }

  async #read(changes: AsyncIterable<unknown>): Promise<void> {
    for await (const _change of changes) this.told++;
  }
}
