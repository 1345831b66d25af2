/**
 * Pressure: while a party is behind with what a connection has brought it, or with its handler, that connection is not read.
 *
 * Invariants
 *  1. A connection is held for what it brought itself, or because the handler is behind, and let go when that is over.
 *  2. Between the two marks nothing changes, so a connection does not flicker.
 *
 * Source: docs/wire.md, "in".
 */

/** A connection that can be held: several may hold it, and it runs when none does. */
export interface Held {
  hold(by: object): void;
  release(by: object): void;
}

/** Of one connection. */
const highBytes = 1024 * 1024;
const highBacklog = 8192;
const highBacklogBytes = 16 * 1024 * 1024;

export class Pressure {
  /** Updates that wait for judgement. */
  backlog = 0;
  /** Their bytes. */
  backlogBytes = 0;
  /**
   * Whether the handler answers nothing. No connection is held for it then: whoever is held for long is taken for dead, and
   * so this node would fall with its handler.
   */
  isStuck = false;
  /** The bytes of each connection that wait for the party. */
  readonly #waiting = new Map<Held, number>();
  readonly #held = new Set<Held>();

  /** Whether no more should wait for the handler. */
  get isFull(): boolean {
    return this.backlog >= highBacklog || this.backlogBytes >= highBacklogBytes;
  }

  /** A connection brought so much, and it waits. */
  arrived(bytes: number, by: Held): void {
    const waiting = (this.#waiting.get(by) ?? 0) + bytes;
    this.#waiting.set(by, waiting);
    if (waiting < highBytes && (this.isStuck || !this.isFull)) return;
    this.#held.add(by);
    by.hold(this);
  }

  /** So much of what it brought waits no more. */
  taken(bytes: number, by: Held): void {
    const waiting = (this.#waiting.get(by) ?? 0) - bytes;
    if (waiting > 0) this.#waiting.set(by, waiting);
    else this.#waiting.delete(by);
  }

  /** Lets connections go of which little waits, if the handler has caught up. */
  relieve(): void {
    if (this.#held.size === 0) return;
    if (!this.isStuck && (this.backlog >= highBacklog / 2 || this.backlogBytes >= highBacklogBytes / 2)) return;
    for (const held of this.#held) {
      if ((this.#waiting.get(held) ?? 0) >= highBytes / 2) continue;
      this.#held.delete(held);
      held.release(this);
    }
  }

  /** Lets all connections go: the party is no more. */
  letGo(): void {
    for (const held of this.#held) held.release(this);
    this.#held.clear();
    this.#waiting.clear();
  }
}
