/**
 * A mailbox: a queue of messages, first in first out, in a ring that grows, with a bound if one is wanted.
 *
 * Invariants
 *  1. `offer` and `take` allocate nothing, except when the ring doubles.
 *  2. Never more than `limit` messages are queued, and every message that is refused or dropped is counted.
 *  3. A slot that was taken holds no message, so a queue never keeps alive what it delivered.
 *  4. A burst does not cost its memory for ever: a large ring that ran empty is given back.
 *
 * Source: the classic circular buffer; a power of two in size, so that wrapping is a mask.
 */

/**
 * What a full mailbox does with one more message: `reject` refuses it and the sender is told; `drop-oldest` makes room
 * by dropping the longest queued; `drop-newest` drops the new one, as if it had been lost on the way.
 */
export type Overflow = 'reject' | 'drop-oldest' | 'drop-newest';

export interface MailboxOptions {
  /** The most messages that may be queued, at least 1. */
  readonly limit: number;
  readonly overflow: Overflow;
}

const smallestRing = 16;
const largestKept = 4096;

export class Mailbox<M> {
  readonly #limit: number;
  readonly #overflow: Overflow;
  readonly #onDrop: (message: M) => void;
  #ring: (M | undefined)[] = [];
  #head = 0;
  #size = 0;
  #dropped = 0;

  /** @param onDrop hears of every message that a bound cost */
  constructor(options: MailboxOptions | undefined, onDrop: (message: M) => void) {
    this.#limit = options?.limit ?? Number.POSITIVE_INFINITY;
    this.#overflow = options?.overflow ?? 'reject';
    this.#onDrop = onDrop;
  }

  get size(): number {
    return this.#size;
  }

  /** How many messages the bound has cost so far. */
  get dropped(): number {
    return this.#dropped;
  }

  /** Queues a message. @returns false when it was refused, state unchanged but for the count */
  offer(message: M): boolean {
    if (this.#size >= this.#limit) {
      const lost = this.#overflow === 'drop-oldest' ? this.take() : message;
      this.#dropped += 1;
      this.#onDrop(lost);
      if (this.#overflow !== 'drop-oldest') return this.#overflow === 'drop-newest';
    }
    if (this.#size === this.#ring.length) this.#grow();
    this.#ring[(this.#head + this.#size) & (this.#ring.length - 1)] = message;
    this.#size += 1;
    return true;
  }

  /** Takes the oldest message. Ask `size` first: a message may itself be `undefined`. */
  take(): M {
    const message = this.#ring[this.#head] as M;
    this.#ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#ring.length - 1);
    this.#size -= 1;
    if (this.#size === 0 && this.#ring.length > largestKept) this.clear();
    return message;
  }

  /** Forgets everything queued. @returns how many messages that were */
  clear(): number {
    const forgotten = this.#size;
    this.#ring = [];
    this.#head = 0;
    this.#size = 0;
    return forgotten;
  }

  /** The ring is full, so that it is in order once it is cut at its head and turned around. */
  #grow(): void {
    const inOrder = this.#ring.slice(this.#head).concat(this.#ring.slice(0, this.#head));
    inOrder.length = Math.max(smallestRing, inOrder.length * 2);
    this.#ring = inOrder;
    this.#head = 0;
  }
}
