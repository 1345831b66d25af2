/**
 * Pressure: while a party is behind with what has arrived for it, connections that bring it more are not read.
 *
 * Invariants
 *  1. A connection is held only while its party is behind, and let go when the party has caught up.
 *  2. Between the two marks nothing changes, so a connection does not flicker.
 *
 * Source: docs/wire.md, "in".
 */

/** A connection that can be held: several may hold it, and it runs when none does. */
export interface Held {
  hold(by: object): void;
  release(by: object): void;
}

const highBytes = 4 * 1024 * 1024;
const highBacklog = 8192;
const highBacklogBytes = 16 * 1024 * 1024;

export class Pressure {
  /** Updates that wait for judgement. */
  backlog = 0;
  /** Their bytes. */
  backlogBytes = 0;
  #queuedBytes = 0;
  readonly #held = new Set<Held>();

  /** A connection brought so much, and it waits in the mailbox. */
  arrived(bytes: number, by: Held): void {
    this.#queuedBytes += bytes;
    if (this.#queuedBytes < highBytes && this.backlog < highBacklog && this.backlogBytes < highBacklogBytes) return;
    this.#held.add(by);
    by.hold(this);
  }

  /** So much has been taken out of the mailbox. */
  taken(bytes: number): void {
    this.#queuedBytes -= bytes;
  }

  /** Lets connections go if the party has caught up. */
  relieve(): void {
    if (this.#held.size === 0 || this.#queuedBytes >= highBytes / 2) return;
    if (this.backlog >= highBacklog / 2 || this.backlogBytes >= highBacklogBytes / 2) return;
    this.letGo();
  }

  /** Lets all connections go: the party is no more. */
  letGo(): void {
    for (const held of this.#held) held.release(this);
    this.#held.clear();
  }
}
