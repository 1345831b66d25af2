/**
 * The frames that wait for a slow peer: a bounded queue that can drop its oldest rumors.
 *
 * Invariants
 *  1. Frames leave in the order in which they came.
 *  2. A reply never leaves but by `shift`: only rumors are dropped, the oldest first.
 *  3. `bytes` and `frames` count exactly what waits.
 *
 * Source: docs/wire.md.
 */

/** `reply`: asked for, or part of a transfer; never dropped singly. `rumor`: anti-entropy repairs its loss. */
export type Priority = 'rumor' | 'reply';

export class Outbox {
  bytes = 0;
  frames = 0;
  /** A slot is emptied where a rumor was dropped, and skipped later; positions stay as they are. */
  #slots: (Uint8Array | undefined)[] = [];
  #priorities: Priority[] = [];
  #head = 0;
  /** No rumor waits before this position, so looking for the oldest is O(1) on the average. */
  #oldestRumor = 0;

  push(frame: Uint8Array, priority: Priority): void {
    this.#slots.push(frame);
    this.#priorities.push(priority);
    this.frames++;
    this.bytes += frame.length;
  }

  shift(): Uint8Array | undefined {
    while (this.#head < this.#slots.length) {
      const frame = this.#take(this.#head++);
      if (frame !== undefined) {
        this.#forgetPast();
        return frame;
      }
    }
    this.clear();
    return undefined;
  }

  /** Drops the oldest rumor and returns it; undefined when only replies wait. */
  dropOldestRumor(): Uint8Array | undefined {
    let at = Math.max(this.#oldestRumor, this.#head);
    while (at < this.#slots.length && (this.#priorities[at] === 'reply' || this.#slots[at] === undefined)) at++;
    this.#oldestRumor = at;
    return at < this.#slots.length ? this.#take(at) : undefined;
  }

  clear(): void {
    this.#slots = [];
    this.#priorities = [];
    this.#head = this.#oldestRumor = this.bytes = this.frames = 0;
  }

  #take(at: number): Uint8Array | undefined {
    const frame = this.#slots[at];
    if (frame === undefined) return undefined;
    this.#slots[at] = undefined;
    this.frames--;
    this.bytes -= frame.length;
    return frame;
  }

  /** Gives back the memory of what has left, once that is more than half: O(1) per frame on the average. */
  #forgetPast(): void {
    if (this.#head < 256 || this.#head * 2 < this.#slots.length) return;
    this.#slots = this.#slots.slice(this.#head);
    this.#priorities = this.#priorities.slice(this.#head);
    this.#oldestRumor = Math.max(0, this.#oldestRumor - this.#head);
    this.#head = 0;
  }
}
